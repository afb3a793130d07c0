"""Verbs of positions, one file each."""
