"""Rules that assign a payer's money by themselves."""

from __future__ import annotations
