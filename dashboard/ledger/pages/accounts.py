"""Accounts: the list, the account page with its statement."""

from __future__ import annotations
