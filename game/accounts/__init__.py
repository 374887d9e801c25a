"""Users, their log-in sessions, sign-up and log-in."""
