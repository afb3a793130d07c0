"""Verbs about staff and tokens."""
