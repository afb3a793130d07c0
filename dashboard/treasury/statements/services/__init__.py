"""Verbs of statements."""
