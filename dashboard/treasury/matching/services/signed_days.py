"""Days that were prepared or signed with other matches than stand now: they are reopened."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.database import session
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.days.services import line_came_late
from dashboard.treasury.matching.models import ReconBreak
from dashboard.treasury.matching.queries.rules import in_force
from dashboard.treasury.matching.queries.windows import timing_from
from dashboard.treasury.register import queries as register
from dashboard.treasury.vocabulary import DayState

LONGEST = 500


def changed(bank_account_id: UUID, first: date, *, because: str, by: Actor) -> None:
    """What is open in a bank account is different from the end of that day on: its pool and currency are reopened for
    that day and every later one that is prepared or signed. Call it in the transaction that changes it."""
    view = register.account(bank_account_id)
    if view.pool is None:
        return
    why = because[:LONGEST]
    # whether or not it is prepared: from now on nobody prepares or signs before this transaction ends
    line_came_late(bank_account_id, first, because=why, by=by)
    later = session().scalars(
        sa.select(TreasuryDay.day)
        .where(
            TreasuryDay.pool == view.pool, TreasuryDay.currency == view.currency, TreasuryDay.day > first,
            TreasuryDay.state.in_([DayState.PREPARED.value, DayState.SIGNED.value]),
        )
        .order_by(TreasuryDay.day)
    ).all()  # fmt: skip
    for day in later:
        line_came_late(bank_account_id, day, because=why, by=by)


def break_changed(one: ReconBreak, *, because: str, by: Actor) -> None:
    """A break is accepted or open again: from the first day on which it was one."""
    first = one.bank_on or one.since
    if one.bank_on is None:
        rules = in_force()
        while timing_from(first, rules) <= one.since:
            first += timedelta(days=1)
    changed(one.bank_account_id, first, because=because, by=by)
