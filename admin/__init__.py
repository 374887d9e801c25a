"""The back office: SQLAdmin, limited to what the logged-in user may see."""
