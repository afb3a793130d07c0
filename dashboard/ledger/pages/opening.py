"""Opening balances from a file."""

from __future__ import annotations
