"""Verbs of covers. Every change takes two people."""

from dashboard.treasury.cover.services.changing import ask_to_add, ask_to_change
from dashboard.treasury.cover.services.entries import Entry

__all__ = ["Entry", "ask_to_add", "ask_to_change"]
