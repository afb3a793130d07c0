"""Verbs of asking and comparing, one file each."""
