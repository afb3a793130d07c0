"""Balances at the end of a closed business day, written once and never again.

A snapshot is made after the day has ended, in a transaction of its own, while postings go on: by booking date nothing
can land in a closed day. A day whose snapshot is missing (the process was killed) gets it when anybody asks again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Refused
from dashboard.ledger.models import BusinessDay, DailyBalance, DailyTotal
from dashboard.ledger.services import days
from dashboard.ledger.services.days import Ended


class SnapshotRunning(Conflict):
    """Somebody else is writing the snapshot of this day at this moment. Asking again gives it."""

    code = "snapshotRunning"
    retry_after = 5


@dataclass(frozen=True)
class Sum:
    """One currency and account type at the end of a day, in minor units. `accounts`: opened up to then, closed ones
    included."""

    currency: str
    account_type: str
    accounts: int
    posted: int
    debits: int
    credits: int


@dataclass(frozen=True)
class Snapshot:
    """`moved`: accounts that have a movement on the day. `made`: by this call, and not by an earlier one."""

    day: date
    closed_at: datetime
    snapshot_at: datetime
    moved: int
    totals: list[Sum]
    made: bool


#: the latest row before the day, plus the day's movements; one row for each account that moved
_BALANCES = sa.text(
    "INSERT INTO daily_balance (account_id, day, posted, debits, credits, movements)"
    " SELECT m.account_id, :day, coalesce(b.posted, 0) + m.credits - m.debits, m.debits, m.credits, m.movements"
    " FROM ("
    "   SELECT x.account_id, sum(x.debit)::bigint AS debits, sum(x.credit)::bigint AS credits, count(*) AS movements"
    "   FROM ("
    "     SELECT t.debtor_account_id AS account_id, t.amount_minor AS debit, 0 AS credit FROM ledger_transaction t"
    "     WHERE t.booking_date = :day AND t.state = 'posted'"
    "     UNION ALL"
    "     SELECT t.creditor_account_id, 0, t.amount_minor FROM ledger_transaction t"
    "     WHERE t.booking_date = :day AND t.state = 'posted'"
    "   ) AS x GROUP BY x.account_id"
    " ) AS m LEFT JOIN LATERAL ("
    "   SELECT d.posted FROM daily_balance d WHERE d.account_id = m.account_id AND d.day < :day"
    "   ORDER BY d.day DESC LIMIT 1"
    " ) AS b ON true"
)
_TOTALS = sa.text(
    "INSERT INTO daily_total (day, currency, account_type, accounts, posted, debits, credits)"
    " SELECT :day, s.currency, s.type, s.accounts, coalesce(b.posted, 0) + coalesce(m.credits, 0)"
    "   - coalesce(m.debits, 0), coalesce(m.debits, 0), coalesce(m.credits, 0)"
    " FROM (SELECT a.currency, a.type, count(*) AS accounts FROM account a WHERE a.created_at <= :closed_at"
    "       GROUP BY a.currency, a.type) AS s"
    " LEFT JOIN (SELECT a.currency, a.type, sum(d.debits) AS debits, sum(d.credits) AS credits"
    "       FROM daily_balance d JOIN account a ON a.id = d.account_id WHERE d.day = :day"
    "       GROUP BY a.currency, a.type) AS m ON m.currency = s.currency AND m.type = s.type"
    " LEFT JOIN daily_total b ON b.currency = s.currency AND b.account_type = s.type AND b.day = :before"
)


def read(day: date, *, made: bool = False) -> Snapshot | None:
    """The snapshot of a day; None where there is none (yet)."""
    row = (
        session()
        .execute(sa.select(BusinessDay.closed_at, BusinessDay.snapshot_at).where(BusinessDay.day == day))
        .first()
    )
    if row is None or row.snapshot_at is None:
        return None
    moved = session().scalar(sa.select(sa.func.count()).select_from(DailyBalance).where(DailyBalance.day == day))
    return Snapshot(day, row.closed_at, row.snapshot_at, moved or 0, sums([day]).get(day, []), made)


def sums(wanted: list[date]) -> dict[date, list[Sum]]:
    """The totals of days, by currency and account type; one query for all."""
    found: dict[date, list[Sum]] = {}
    rows = session().execute(
        sa.select(DailyTotal.__table__)
        .where(DailyTotal.day.in_(wanted))
        .order_by(DailyTotal.day, DailyTotal.currency, DailyTotal.account_type)
    )
    for row in rows:
        found.setdefault(row.day, []).append(
            Sum(row.currency, row.account_type, row.accounts, int(row.posted), int(row.debits), int(row.credits))
        )
    return found


def missing(up_to: date) -> list[date]:
    """Closed days up to and including `up_to` that have no snapshot, oldest first."""
    return list(
        session().scalars(
            sa.select(BusinessDay.day)
            .where(BusinessDay.state == "closed", BusinessDay.snapshot_at.is_(None), BusinessDay.day <= up_to)
            .order_by(BusinessDay.day)
        )
    )


def _write(day: date, *, by: Actor) -> bool:
    """Within the caller's transaction. False where the snapshot stands already."""
    # millions of accounts take their time, and nobody waits for it
    session().execute(sa.text("SET LOCAL statement_timeout = 0"))
    try:
        row = (
            session()
            .execute(
                sa.select(BusinessDay.closed_at, BusinessDay.snapshot_at)
                .where(BusinessDay.day == day)
                .with_for_update(key_share=True)
            )
            .one()
        )
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != "55P03":
            raise
        raise SnapshotRunning(f"The snapshot of {days.in_words(day)} is being written. Ask again.") from None
    if row.snapshot_at is not None:
        return False
    before = session().scalar(sa.select(sa.func.max(BusinessDay.day)).where(BusinessDay.day < day))
    # the table grows while it is read: a plan made for its size of now, an empty one at first, would not end
    session().execute(sa.text("SET LOCAL enable_seqscan = off"))
    session().execute(_BALANCES, {"day": day})
    session().execute(sa.text("SET LOCAL enable_seqscan = on"))
    session().execute(_TOTALS, {"day": day, "before": before, "closed_at": row.closed_at})
    session().execute(sa.text("UPDATE business_day SET snapshot_at = clock_timestamp() WHERE day = :day"), {"day": day})
    audit.record("business_day.snapshot", by=by, object_type="business_day", object_id=None, after={"day": day})
    return True


def make(day: date, *, by: Actor) -> Snapshot:
    """Write the snapshot of a closed day, and before it those that are missing, each in a transaction of its own.

    One that stands is read. Raises Refused `dayOpen`, `futureDay`, `unknownDay`, SnapshotRunning.
    """
    with transaction():
        if days.standing(day) is None:
            raise Refused(f"{days.in_words(day)} is still open. End it first.", code="dayOpen")
        waiting = missing(day)
    made = False
    for each in waiting:
        with transaction():
            made = _write(each, by=by)
    with transaction():
        found = read(day, made=made)
    assert found is not None  # it was written, or stood
    return found


def end_of_day(day: date, *, next_day: date | None = None, by: Actor) -> tuple[Ended, Snapshot]:
    """End the day and write its snapshot; done again, it finishes what is missing and changes nothing else.

    Opens its own transactions. Raises as `days.end` and `make`.
    """
    ended = days.end(day, next_day=next_day, by=by)
    return ended, make(day, by=by)


def last_closed() -> date:
    """Raises Refused `noClosedDay` before the first day has ended."""
    found = session().scalar(
        sa.select(BusinessDay.day).where(BusinessDay.state == "closed").order_by(BusinessDay.day.desc()).limit(1)
    )
    if found is None:
        raise Refused("No business day has ended yet.", code="noClosedDay")
    return found


def due() -> date:
    """The day that is to be ended now: the open one, once the calendar has reached it; before that the last closed
    one, whose snapshot may be missing. Raises Refused `notBegun` where there is neither."""
    opened = days.open_day().day
    if days.has_begun(opened):
        return opened
    try:
        return last_closed()
    except Refused:
        raise Refused(
            f"{days.in_words(opened)} has not begun. Name it to end it all the same.", code="notBegun"
        ) from None
