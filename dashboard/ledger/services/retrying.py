"""Doing a verb again that lost a race which the next try can see."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dashboard.database import transaction
from dashboard.ledger.moving import ParentTaken

T = TypeVar("T")

#: each loss means that somebody else's payment was made; a batch of many parents may lose several times in a row
TRIES = 20


def in_transaction(verb: Callable[[], T]) -> T:
    """Run the verb in a transaction of its own; again when a parent was taken at that very moment. Raises as it does.

    The second try finds the other's payment committed and refuses, or answers, by name.
    """
    for left in range(TRIES - 1, -1, -1):
        try:
            with transaction():
                return verb()
        except ParentTaken:
            if not left:
                raise
    raise AssertionError("unreachable")
