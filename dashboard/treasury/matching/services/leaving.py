"""What matching does when an import is taken back: nothing goes on about rows that are no longer there."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.approvals import services as approvals
from dashboard.database import session
from dashboard.treasury.matching.models import ReconBreak
from dashboard.treasury.matching.services import signed_days, withdrawing
from dashboard.treasury.matching.services.places import locked
from dashboard.treasury.matching.services.recording import close, goes_on
from dashboard.treasury.matching.vocabulary import ACCEPT, BreakState, Event, Resolution, Side
from dashboard.treasury.statements.models import Statement, StatementEntry, StatementLine

GONE = "Its line was taken back with its file."


def hold(import_id: UUID) -> None:
    """Nobody matches in the bank accounts of an import until the transaction ends. Raises Conflict
    `matchingUnderWay`."""
    accounts = session().scalars(
        sa.select(Statement.bank_account_id).where(Statement.import_id == import_id).distinct()
    )
    for account_id in sorted(accounts):
        locked(account_id)


def leave(import_id: UUID, *, by: Actor) -> None:
    """Withdraw proposals of these lines, and close their breaks; of a break of two rows the ledger's goes on alone."""
    lines = session().execute(
        sa.select(StatementLine.bank_account_id, StatementLine.id, StatementLine.booking_date)
        .join(StatementEntry, StatementEntry.id == StatementLine.entry_id)
        .join(Statement, Statement.id == StatementEntry.statement_id)
        .where(Statement.import_id == import_id, StatementLine.matchable)
    ).tuples()  # fmt: skip
    of: dict[UUID, set[UUID]] = {}
    first: dict[UUID, date] = {}
    for account_id, line_id, booked in lines:
        of.setdefault(account_id, set()).add(line_id)
        first[account_id] = min(booked, first.get(account_id, booked))
    for account_id, ids in sorted(of.items()):
        signed_days.changed(account_id, first[account_id], because=GONE, by=by)
        withdrawing.withdraw_of(account_id, lines=list(ids), transactions=[])
        standing = session().scalars(
            sa.select(ReconBreak)
            .where(ReconBreak.bank_account_id == account_id, ReconBreak.state != BreakState.RESOLVED.value)
            .order_by(ReconBreak.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()  # fmt: skip
        for one in standing:
            if one.line_id not in ids:
                continue
            approvals.close_as_stale(ACCEPT, one.id, reason=GONE)
            if one.transaction_id is None:
                close(one, Resolution.GONE, Event.GONE, by=by, text=GONE)
            else:
                goes_on(one, side=Side.LEDGER, by=by, text=GONE)
