"""Reopening a day: what was prepared or signed stays as it was, and the next version begins."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, Invalid
from dashboard.ledger.models import BusinessDay
from dashboard.treasury.days import queries
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.days.services.opening import check, ensure, hold, locked, said
from dashboard.treasury.register import queries as register
from dashboard.treasury.vocabulary import DayState

LONGEST_REASON = 500


def _reason(text: str) -> str:
    why = " ".join(text.split())
    if not why:
        raise Invalid.one("because", "Say why.", "required")
    if len(why) > LONGEST_REASON:
        raise Invalid.one("because", f"Use at most {LONGEST_REASON} characters.", "tooLong")
    return why


def _reopened(version: TreasuryDay, *, because: str, by: Actor) -> TreasuryDay:
    before = {"state": version.state, "version": version.version}
    version.state = DayState.REOPENED.value
    version.reopened_at = clock.now()
    version.reopened_by_id, version.reopened_by, version.reopened_because = by.id, by.name, because
    session().flush()
    fresh = ensure(version.pool, version.currency, version.day)
    audit.record(
        "treasuryDay.reopened", by=by, object_type="treasury_day", object_id=version.id, before=before,
        after={"state": version.state, "pool": version.pool, "currency": version.currency, "day": version.day,
               "nextVersion": fresh.version},
        reason=because,
    )  # fmt: skip
    return fresh


def reopen(pool: str, currency: str, day: date, *, because: str, by: Actor) -> TreasuryDay:
    """Open a prepared or signed day again; gives the version that follows.

    Raises Invalid (words, no reason), Forbidden, Refused `unknownDay`, Conflict `notPrepared`.
    """
    by.require(Permission.TREASURY_SIGN)
    why = _reason(because)
    check(pool, currency, day)
    version = locked(pool, currency, day)
    if version.state == DayState.OPEN:
        raise Conflict(f"{said(pool, currency, day)} is open already, version {version.version}.", code="notPrepared",
                       details={"version": version.version})  # fmt: skip
    return _reopened(version, because=why, by=by)


def _treasury_day_of(day: date) -> date | None:
    """The business day that a line of this date belongs to: what a bank books on a Saturday stands in the next one."""
    return session().scalar(sa.select(sa.func.min(BusinessDay.day)).where(BusinessDay.day >= day))


def line_came_late(bank_account_id: UUID, day: date, *, because: str, by: Actor) -> TreasuryDay | None:
    """A line of that date came: where pool and currency of the bank account are prepared or signed for it, they are
    reopened. Gives the version that follows, None where nothing was.

    Call it in the transaction that brings the line, whether the day is prepared or not: from then on nobody prepares
    or signs it before that transaction has ended. Raises NotFound `bankAccountNotFound`.
    """
    view = register.account(bank_account_id)
    if view.pool is None:
        return None
    hold(view.pool, view.currency, alone=False)
    business_day = _treasury_day_of(day)
    if business_day is None:
        return None
    version = queries.current(view.pool, view.currency, business_day)
    if version is None:
        return None
    session().refresh(version, with_for_update=True)
    if version.state not in {DayState.PREPARED, DayState.SIGNED}:
        return None
    return _reopened(version, because=_reason(because), by=by)
