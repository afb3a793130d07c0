"""GL-04 and GL-22: stored balances against the transactions."""

from __future__ import annotations
