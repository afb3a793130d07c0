"""Verbs of the register. Every change takes two people."""

from dashboard.treasury.register.services.changing import ask_to_add, ask_to_change
from dashboard.treasury.register.services.entries import Entry
from dashboard.treasury.register.services.pooling import ask_to_pool

__all__ = ["Entry", "ask_to_add", "ask_to_change", "ask_to_pool"]
