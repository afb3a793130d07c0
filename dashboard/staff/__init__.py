"""The people who work here: sign-in, sessions that end, lock-out, passwords, roles page."""
