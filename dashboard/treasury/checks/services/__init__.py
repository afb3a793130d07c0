"""Verbs of daily checks: asking for a run, and writing what it comes to."""
