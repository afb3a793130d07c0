"""Countinghouse: the back office of an e-money or payment institution.

Start reading at `dashboard.app`: its tuple of blueprints is the table of contents.
"""
