"""What the checks know of each bank account on a business day: whether it is reconciled, and its statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.statements.models import Statement
from dashboard.treasury.vocabulary import StatementKind

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
    found: dict[UUID, list[Statement]] = {}
    rows = session().scalars(
        sa.select(Statement)
        .where(
            Statement.bank_account_id.in_([view.id for view in views]),
            Statement.standing,
            Statement.kind == StatementKind.STATEMENT.value,
            Statement.last_day == day,
        )
        .order_by(Statement.bank_account_id, sa.nulls_first(Statement.sequence.asc()), Statement.id)
        .execution_options(populate_existing=True)
    )
    for statement in rows:
        of_account = found.setdefault(statement.bank_account_id, [])
        if len(of_account) < MOST_OF_A_DAY:
            of_account.append(statement)
    return [BankDay(view, register.not_a_reconciliation_day(view, day), found.get(view.id, ())) for view in views]


def unregistered(day: date) -> list[str]:
    """Bank accounts of the ledger of which the register says nothing, in words: nobody knows whether they give
    statements."""
    return [
        view.said for view in register.accounts(include_closed=True) if not view.registered and not view.closed_by(day)
    ]


def next_day(day: date) -> date:
    """The date on which the statement of a day is expected."""
    return day + timedelta(days=1)
