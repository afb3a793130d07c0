"""Which versions rest on what a bank account told: known higher up, connected by `app.py`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from uuid import UUID

#: ids of treasury days, of that business day or later, whose figures were worked out from the bank account
Resting = Callable[[UUID, date], list[UUID]]

_resting: list[Resting] = []


def learn_resting(fn: Resting) -> None:
    """Called by app.py. The same function again changes nothing."""
    if fn not in _resting:
        _resting.append(fn)


def resting_on(bank_account_id: UUID, day: date) -> set[UUID]:
    """What is known of that business day and of later ones."""
    return {treasury_day_id for fn in _resting for treasury_day_id in fn(bank_account_id, day)}
