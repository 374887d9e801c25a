"""Pages of the back office besides lists, details and forms; each calls operations of the API."""
