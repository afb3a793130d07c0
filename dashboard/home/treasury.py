"""What home says of treasury: the last business day by pool and currency, its checks, and what waits for treasurers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.database import session
from dashboard.ledger.models import BusinessDay
from dashboard.money import Money
from dashboard.queues.queries import QueueCount
from dashboard.treasury.checks import queries as checks
from dashboard.treasury.checks.check import OUTCOME_LABELS, Outcome
from dashboard.treasury.checks.models import DailyCheckResult, DailyCheckRun
from dashboard.treasury.checks.table import TITLES
from dashboard.treasury.days import readiness
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.positions.models import TreasuryPosition
from dashboard.treasury.register import queries as register
from dashboard.treasury.statements import queries as statements
from dashboard.treasury.statements.queries import StatementState
from dashboard.treasury.vocabulary import POOL_LABELS, DayState, Pool
from dashboard.web.moments import span

#: lines of the table of queues that are no queues of items: days and statements
STATEMENTS, SIGN_OFF = "statements", "sign-off"
#: what treasurers see first, in this order
FIRST = ("breaks", STATEMENTS, SIGN_OFF)
LABELS = {STATEMENTS: "Statements", SIGN_OFF: "Day sign-off"}
PAGES = {STATEMENTS: "/treasury/statements", SIGN_OFF: "/treasury/days"}
PERMISSIONS = {STATEMENTS: Permission.TREASURY_WRITE, SIGN_OFF: Permission.TREASURY_SIGN}
#: unsigned days are looked for no farther back
_FARTHEST = timedelta(days=14)
#: how a statement stands in the way of everything else
_WANTED = frozenset({"expected", "late", "tieOutFailed"})


@dataclass(frozen=True)
class CurrencyLine:
    """One pool and currency at the end of the day. `amount`: excess or shortfall in minor units, None where unknown."""

    pool: str
    currency: str
    role: str
    word: str
    amount: int | None
    why: str
    url: str

    @property
    def signed_amount(self) -> str:
        """−1,204.50 or +2,825.00, without the code."""
        assert self.amount is not None  # the page asks only where it is known
        said = str(Money(self.amount, self.currency)).rpartition(" ")[0]
        return f"+{said}" if self.amount > 0 else said

    @property
    def _order(self) -> tuple[int, str, str]:
        return {"stop": 0, "unknown": 1, "wait": 2}.get(self.role, 3), self.currency, self.pool


@dataclass(frozen=True)
class CheckLine:
    """A check that did not pass."""

    title: str
    role: str
    word: str
    url: str


@dataclass(frozen=True)
class Panel:
    """`run`: the newest run of checks that has ended; None where there is none of the day."""

    day: date
    lines: Sequence[CurrencyLine]
    run: DailyCheckRun | None
    checks: Sequence[CheckLine]


def last_day() -> date | None:
    """The last business day that has ended."""
    return session().scalar(sa.select(sa.func.max(BusinessDay.day)).where(BusinessDay.state == "closed"))


def panel(actor: Actor) -> Panel | None:
    """None for who may not read treasury, and before the first day has ended."""
    day = last_day() if actor.may(Permission.TREASURY_READ) else None
    if day is None:
        return None
    run = checks.latest(day=day)
    return Panel(day, _lines(day), run, _checks(run) if run else [])


# --- by pool and currency -----------------------------------------------------------------------------------------


def _lines(day: date) -> list[CurrencyLine]:
    told = statements.states(day)
    rows = session().execute(
        sa.select(TreasuryDay, TreasuryPosition)
        .outerjoin(TreasuryPosition, TreasuryPosition.treasury_day_id == TreasuryDay.id)
        .where(TreasuryDay.day == day, TreasuryDay.state != DayState.REOPENED.value)
        .execution_options(populate_existing=True)
    )
    known: dict[tuple[str, str], tuple[TreasuryDay | None, TreasuryPosition | None]] = {
        (version.pool, version.currency): (version, position) for version, position in rows
    }
    found = []
    for pool, currency in sorted({*register.pools(), *known}):
        version, position = known.get((pool, currency), (None, None))
        own = [state for state in told if (state.account.pool, state.account.currency) == (pool, currency)]
        found.append(_line(pool, currency, day, version, position, own))
    return sorted(found, key=lambda line: line._order)


def _line(
    pool: str,
    currency: str,
    day: date,
    version: TreasuryDay | None,
    position: TreasuryPosition | None,
    told: Sequence[StatementState],
) -> CurrencyLine:
    """The first thing that is to be said of it: signed, prepared, short, unknown, not ready for a reason, ready."""
    excess = position.excess_minor if position is not None else None
    role, word, why = _state(pool, currency, day, version, position, told)
    apart = "" if pool == Pool.E_MONEY else POOL_LABELS[Pool(pool)]
    address = urlencode({"pool": pool, "currency": currency, "day": day.isoformat()})
    return CurrencyLine(
        pool, currency, role, word, excess, " · ".join(part for part in (apart, why) if part),
        f"/treasury/safeguarding?{address}",
    )  # fmt: skip


def _state(
    pool: str,
    currency: str,
    day: date,
    version: TreasuryDay | None,
    position: TreasuryPosition | None,
    told: Sequence[StatementState],
) -> tuple[str, str, str]:
    if version is not None and version.state == DayState.SIGNED:
        return "ok", "Signed", f"by {version.signed_by}, version {version.version}"
    if position is not None and position.excess_minor is not None and position.excess_minor < 0:
        return "stop", "Short", _breaks(position)
    if version is not None and version.state == DayState.PREPARED:
        return "wait", "Prepared", f"by {version.prepared_by}, waits for a second person"
    missing = [state for state in told if state.state in _WANTED]
    if missing:
        return _missing(day, missing)
    if position is None or position.excess_minor is None:
        return "unknown", "No data", "statements are here, and not matched yet"
    if position.breaks:
        return "wait", "Breaks", _breaks(position)
    blockers = [said for step in readiness.steps(pool, currency, day) for said in step.blockers]
    if blockers:
        return "wait", "Not ready", blockers[0]
    return "ok", "Ready to sign", ""


def _missing(day: date, states: Sequence[StatementState]) -> tuple[str, str, str]:
    """The worst of them: one that does not add up, the longest late, the next expected."""
    broken = [state for state in states if state.state == "tieOutFailed"]
    if broken:
        return "stop", "Tie-out failed", broken[0].account.said
    late = [due for state in states if state.state == "late" and (due := statements.due_at(state.account, day))]
    if late:
        return "unknown", "No data", f"statement late by {span(clock.now() - min(late))}"
    if any(state.state == "late" for state in states):
        return "unknown", "No data", "statement late"
    dues = [due for state in states if (due := statements.due_at(state.account, day))]
    zone = clock.calendar().zone
    return "unknown", "No data", f"statement expected {min(dues).astimezone(zone):%H:%M}" if dues else "no statement"


def _breaks(position: TreasuryPosition) -> str:
    """2 breaks, 1 bd; 1 without owner."""
    if not position.breaks:
        return ""
    said = f"{position.breaks} {'break' if position.breaks == 1 else 'breaks'}"
    if position.breaks_oldest is not None:
        said += f", {position.breaks_oldest} bd"
    return f"{said}; {position.breaks_without_owner} without owner" if position.breaks_without_owner else said


# --- checks -------------------------------------------------------------------------------------------------------


def _checks(run: DailyCheckRun) -> list[CheckLine]:
    """Those that failed first, then those that could not be run."""
    rows = session().scalars(
        sa.select(DailyCheckResult)
        .where(DailyCheckResult.run_id == run.id, DailyCheckResult.outcome != Outcome.PASSED.value)
        .order_by(DailyCheckResult.outcome, DailyCheckResult.check_key)
    )
    return [
        CheckLine(
            TITLES.get(row.check_key, row.check_key),
            "stop" if row.outcome == Outcome.FAILED else "unknown",
            OUTCOME_LABELS[Outcome(row.outcome)],
            f"/treasury/checks/runs/{run.id}/findings?{urlencode({'check': row.check_key})}"
            if row.findings
            else f"/treasury/checks/runs/{run.id}",
        )
        for row in rows
    ]


# --- what waits ---------------------------------------------------------------------------------------------------


def counts(actor: Actor) -> dict[str, QueueCount]:
    """Statements that are awaited and days that are to be signed, for who does that work, by key."""
    day = last_day()
    found: dict[str, QueueCount] = {}
    if actor.may(PERMISSIONS[STATEMENTS]):
        found[STATEMENTS] = _awaited(day) if day else QueueCount(STATEMENTS, 0, 0, 0, 0, None, None)
    if actor.may(PERMISSIONS[SIGN_OFF]):
        found[SIGN_OFF] = _unsigned(actor, day) if day else QueueCount(SIGN_OFF, 0, 0, 0, 0, None, None)
    return found


def _counted(key: str, items: Sequence[tuple[datetime | None, bool]], oldest: datetime | None) -> QueueCount:
    """Items are a due time, and whether it is my turn alone."""
    now, closing = clock.now(), clock.calendar().closing(clock.calendar().today())
    dues = [due for due, _mine in items if due is not None]
    mine = sum(turn for _due, turn in items)
    late = [turn for due, turn in items if due is not None and due < now]
    return QueueCount(
        queue=key, mine=mine, unassigned=len(items) - mine, late=len(late),
        due_today=sum(now <= due <= closing for due in dues), oldest_at=oldest,
        next_due_at=min(dues, default=None), upcoming_at=min((due for due in dues if due >= now), default=None),
        late_unassigned=late.count(False), everybody=len(items),
    )  # fmt: skip


def _awaited(day: date) -> QueueCount:
    """Nobody owns a statement: each that is not here waits for whoever comes first."""
    wanted = [state for state in statements.states(day) if state.state in _WANTED]
    items = [(statements.due_at(state.account, day), False) for state in wanted]
    passed = [due for due, _mine in items if due is not None and due < clock.now()]
    return _counted(STATEMENTS, items, min(passed, default=None))


def _unsigned(actor: Actor, last: date) -> QueueCount:
    """Days that are neither signed nor in another person's turn. One that somebody else prepared waits for me; what I
    prepared waits for somebody else. Due at the close of the business day after."""
    calendar = clock.calendar()
    rows = session().execute(
        sa.select(TreasuryDay.pool, TreasuryDay.currency, TreasuryDay.day, TreasuryDay.state,
                  TreasuryDay.prepared_by_id)
        .where(TreasuryDay.day.between(last - _FARTHEST, last), TreasuryDay.state != DayState.REOPENED.value)
    ).all()  # fmt: skip
    begun = {(row.pool, row.currency, row.day) for row in rows}
    waiting = [
        (row.day, row.state == DayState.PREPARED)
        for row in rows
        if row.state in {DayState.OPEN, DayState.PREPARED}
        and not (row.state == DayState.PREPARED and row.prepared_by_id == actor.id)
    ]
    waiting += [(last, False) for pool, currency in register.pools() if (pool, currency, last) not in begun]
    items = [(calendar.closing(calendar.add_days(day, 1)), mine) for day, mine in waiting]
    return _counted(SIGN_OFF, items, min((calendar.closing(day) for day, _mine in waiting), default=None))


def url(key: str, **filters: Any) -> str:
    """The list behind a figure of these two."""
    return f"{PAGES[key]}?{urlencode(filters)}" if filters else PAGES[key]
