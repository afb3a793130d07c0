"""One payment: both sides, state history, reversal."""

from __future__ import annotations
