"""Decisions about unrecognized money."""
