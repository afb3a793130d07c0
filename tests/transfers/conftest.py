"""The small ledger of the ledger's own tests, for transfers."""

from __future__ import annotations

from tests.ledger.conftest import book

__all__ = ["book"]
