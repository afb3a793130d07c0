"""Verbs of matching: runs, matches by hand and their undoing, breaks, rules."""
