"""Readers of statement files: each gives the one neutral stream of `stream.py`."""
