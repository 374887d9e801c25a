"""Notes: journals and handouts in Markdown, and pins on maps."""
