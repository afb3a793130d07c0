"""Transactions: the list and its exports."""

from __future__ import annotations
