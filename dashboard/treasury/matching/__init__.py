"""Ledger against statements: passes, matches, breaks, and the reconciliation report."""
