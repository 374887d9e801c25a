"""The back office: SQLAdmin, scoped to the person who is logged in."""
