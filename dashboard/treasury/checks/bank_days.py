"""What the checks know of each bank account on a business day: whether it is reconciled, and its statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from dashboard.treasury.register import queries as register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.statements import queries as statements
from dashboard.treasury.statements.models import Statement

#: statements that are told again, or in parts, stand beside each other; nobody needs more of a day
MOST_OF_A_DAY = 50


@dataclass(frozen=True)
class BankDay:
    """`holiday`: why nothing is reconciled. `statements`: those of a closed day that end on it, oldest first."""

    account: BankAccountView
    holiday: str | None
    statements: Sequence[Statement]

    @property
    def last(self) -> Statement | None:
        """The statement whose closing balance is the end of the day."""
        return self.statements[-1] if self.statements else None


def of(day: date) -> list[BankDay]:
    """The bank accounts of the register that give statements and were open on the day; two queries for all."""
    views = [
        view
        for view in register.accounts(include_closed=True)
        if view.registered and view.statement_format is not None and (view.closed_on is None or view.closed_on > day)
    ]
    found = statements.of_days([view.id for view in views], day)
    return [
        BankDay(view, register.not_a_reconciliation_day(view, day), found.get(view.id, [])[-MOST_OF_A_DAY:])
        for view in views
    ]


def unregistered(day: date) -> list[str]:
    """Bank accounts of the ledger of which the register says nothing, in words: nobody knows whether they give
    statements."""
    return [
        view.said for view in register.accounts(include_closed=True) if not view.registered and not view.closed_by(day)
    ]


def next_day(day: date) -> date:
    """The date on which the statement of a day is expected."""
    return day + timedelta(days=1)
