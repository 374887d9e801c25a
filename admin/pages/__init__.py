"""Pages of the back office besides lists, details and forms: each does what an operation of the API does."""
