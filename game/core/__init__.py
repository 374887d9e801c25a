"""What every domain needs: settings, database, errors, pages, ids, hot reads."""
