"""The business day: which one is open, and its end.

A day ends in one instant: with the lock that every posting shares held alone, it is closed, the next one opens, and
both are committed. Nothing can be booked on it any more; its balances are written afterwards (`snapshots`), while
postings go on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.approvals.services import LONGEST_REASON
from dashboard.audit import services as audit
from dashboard.database import session, transaction
from dashboard.errors import Conflict, FieldError, Invalid, Refused
from dashboard.ledger.models import BusinessDay

#: every posting shares this lock, the end of a day takes it alone (migrations/ledger_functions.py)
BUSINESS_DAY_LOCK = 0x6C6564676572
#: a posting under way keeps the day open; whoever comes next waits no longer than this for the end of the day
PATIENCE = timedelta(milliseconds=25)
#: for so long the end of a day lets postings pass in between; then it waits for its turn like everybody
COURTESY = timedelta(seconds=10)
LAST_WAIT = timedelta(seconds=5)
#: the next day may be given, within reason: what was opened is never taken back
FARTHEST = timedelta(days=31)


class DayBusy(Conflict):
    """Postings of many seconds kept the day open. Asking again helps."""

    code = "dayBusy"
    retry_after = 5


class _LockNotGiven(Exception):
    pass


@dataclass(frozen=True)
class Ended:
    """The day that is closed now, and the day after it. `by_us`: this call closed it, and not an earlier one."""

    day: date
    closed_at: datetime
    next_day: date
    by_us: bool


def in_words(day: date) -> str:
    """Fri 20 Nov 2026"""
    return f"{day:%a} {day.day} {day:%b} {day.year}"


def open_day() -> BusinessDay:
    """The open business day. Raises Refused `noBusinessDay` before the first was opened."""
    found = session().scalar(
        sa.select(BusinessDay).where(BusinessDay.state == "open").execution_options(populate_existing=True)
    )
    if found is None:
        raise Refused("No business day is open yet.", code="noBusinessDay")
    return found


def open_first(day: date, *, by: Actor) -> BusinessDay:
    """Open the first business day of a new installation. Once there is one, gives the open one."""
    standing = session().scalar(sa.select(BusinessDay).where(BusinessDay.state == "open"))
    if standing is not None:
        return standing
    fresh = BusinessDay(day=day, state="open", opened_at=clock.now())
    session().add(fresh)
    session().flush()
    audit.record("business_day.opened", by=by, object_type="business_day", object_id=None, after={"day": day})
    return fresh


def moment_within_day() -> datetime:
    """The present moment, told by the database, at which the open day stays open until the transaction ends.

    What carries this moment and is committed belongs to the day as exactly as a posting does.
    """
    session().execute(sa.text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": BUSINESS_DAY_LOCK})
    moment: datetime = session().execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    return moment


def following(day: date) -> date:
    """The business day after `day`, weekends and public holidays skipped."""
    return clock.calendar().add_days(day, 1)


def skipped(day: date, next_day: date) -> list[tuple[date, str]]:
    """The public holidays between two business days, by name."""
    calendar, found = clock.calendar(), []
    while (day := day + timedelta(days=1)) < next_day:
        name = calendar.holiday_name(day)
        if name and day.weekday() < 5:
            found.append((day, name))
    return found


def has_begun(day: date) -> bool:
    """Whether the calendar has reached that day."""
    return day <= clock.calendar().today()


def _checked_next(day: date, next_day: date | None) -> date:
    if next_day is None:
        return following(day)
    if not day < next_day <= day + FARTHEST:
        raise Invalid.one(
            "nextDay",
            f"The next business day lies after {in_words(day)}, at most {FARTHEST.days} days.",
            "range",
        )
    return next_day


def standing(day: date) -> Ended | None:
    """What stands of a day that is closed; None while it is open.

    Raises Refused `futureDay`, `unknownDay` (no business day of this ledger).
    """
    row = session().execute(sa.select(BusinessDay.state, BusinessDay.closed_at).where(BusinessDay.day == day)).first()
    if row is None:
        opened = open_day().day
        if day > opened:
            raise Refused(
                f"{in_words(day)} is not open yet. The open business day is {in_words(opened)}.", code="futureDay"
            )
        raise Refused(f"{in_words(day)} was no business day of this ledger.", code="unknownDay")
    if row.state == "open":
        return None
    next_day = session().scalar(sa.select(sa.func.min(BusinessDay.day)).where(BusinessDay.day > day))
    assert row.closed_at is not None and next_day is not None  # constraint; a day closes only as the next one opens
    return Ended(day, row.closed_at, next_day, by_us=False)


_CLOSE = sa.text(
    "WITH closed AS ("
    "  UPDATE business_day SET state = 'closed', closed_at = clock_timestamp() WHERE day = :day AND state = 'open'"
    "  RETURNING closed_at"
    ") INSERT INTO business_day (day, state, opened_at) SELECT :next, 'open', closed_at FROM closed RETURNING opened_at"
)


def _close(day: date, next_day: date, patience: timedelta, *, reason: str | None, by: Actor) -> datetime | None:
    """Within the caller's transaction, which commits at once. None where somebody else closed the day before us."""
    # what need not happen under the lock happens before it
    audit.record(
        "business_day.ended", by=by, object_type="business_day", object_id=None,
        before={"open": day}, after={"open": next_day}, reason=reason,
    )  # fmt: skip
    session().flush()
    session().execute(sa.text(f"SET LOCAL lock_timeout = {int(patience.total_seconds() * 1000)}"))
    try:
        session().execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": BUSINESS_DAY_LOCK})
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != "55P03":
            raise
        raise _LockNotGiven from None
    # a statement of its own: it sees what was committed before the lock was given
    closed_at: datetime | None = session().execute(_CLOSE, {"day": day, "next": next_day}).scalar()
    return closed_at


class _Taken(Exception):
    pass


def end_by_hand(day: date, *, next_day: date | None = None, ahead: bool = False, reason: str = "", by: Actor) -> Ended:
    """As `end`, for a person at a page: a day that the calendar has not reached ends only `ahead`, with a reason.

    Raises also Invalid `notBegun` (ahead), `required` or `tooLong` (reason).
    """
    with transaction():
        known = standing(day)
    if known is not None:
        return known
    if has_begun(day):
        return end(day, next_day=next_day, by=by)
    why, wrong = reason.strip(), []
    if not ahead:
        wrong.append(FieldError("ahead", f"{in_words(day)} has not begun. Tick the box to end it anyway.", "notBegun"))
    if not why:
        wrong.append(FieldError("reason", "Say why.", "required"))
    elif len(why) > LONGEST_REASON:
        wrong.append(FieldError("reason", f"Use at most {LONGEST_REASON} characters.", "tooLong"))
    if wrong:
        raise Invalid(wrong)
    return end(day, next_day=next_day, reason=why, by=by)


def end(day: date, *, next_day: date | None = None, reason: str | None = None, by: Actor) -> Ended:
    """Close the open day and open the next one. A day that is closed already gives what stands.

    `reason` goes into the audit event.

    Commits by itself, and at once: every posting waits meanwhile. Raises Refused `futureDay`, `unknownDay`,
    `noBusinessDay`, Invalid (next day), DayBusy.
    """
    with transaction():
        known = standing(day)
    if known is not None:
        return known
    chosen = _checked_next(day, next_day)
    patient_from = time.monotonic() + COURTESY.total_seconds()
    while True:
        last = time.monotonic() >= patient_from
        try:
            with transaction():
                closed_at = _close(day, chosen, LAST_WAIT if last else PATIENCE, reason=reason, by=by)
                if closed_at is None:
                    raise _Taken
            return Ended(day, closed_at, chosen, by_us=True)
        except _Taken:
            with transaction():
                known = standing(day)
            assert known is not None  # a closed day stays closed
            return known
        except _LockNotGiven:
            if last:
                raise DayBusy("Postings keep the day open. Nothing was changed; try again.") from None
            time.sleep(PATIENCE.total_seconds())
