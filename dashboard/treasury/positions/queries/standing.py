"""Positions of a day as they stand: those that were prepared as they were prepared, open ones as they were worked out
last, or worked out at once where something has changed since."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.database import session
from dashboard.ledger.models import BusinessDay
from dashboard.treasury.cover import queries as cover_queries
from dashboard.treasury.cover.queries import Counted
from dashboard.treasury.days import queries as days
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.positions.models import PositionAccount, PositionCover, TreasuryPosition
from dashboard.treasury.positions.queries.clients import Pair
from dashboard.treasury.positions.queries.figures import AccountFigures, Figures, figures, pairs
from dashboard.treasury.positions.queries.house import House
from dashboard.treasury.positions.vocabulary import Result
from dashboard.treasury.vocabulary import DayState

#: rows that are looked at for the newest change
_NEWEST = 20


@dataclass(frozen=True)
class Position:
    """Figures with the version of the day that they are of. `version` None: nobody began with the day yet."""

    figures: Figures
    version: TreasuryDay | None
    computed_at: datetime
    #: prepared: these figures never change
    frozen: bool

    @property
    def pair(self) -> Pair:
        return self.figures.pool, self.figures.currency

    @property
    def state(self) -> str:
        return self.version.state if self.version else DayState.OPEN.value

    @property
    def short(self) -> bool:
        return self.figures.internal is Result.FAILED

    @property
    def unknown(self) -> bool:
        return self.figures.internal is Result.NO_DATA


def _account(row: PositionAccount) -> AccountFigures:
    return AccountFigures(
        bank_account_id=row.bank_account_id, purpose=row.purpose, designated=row.designated, ledger=row.ledger_minor,
        suspense=row.suspense_minor, statement=row.statement_minor, statement_id=row.statement_id,
        statement_day=row.statement_day, statement_at=row.statement_at, tie_out=row.tie_out, holiday=row.holiday,
        received=row.received_minor, sent=row.sent_minor, timing=row.timing_minor, breaks=row.breaks_minor,
        unexplained=row.unexplained_minor, lying=row.lying_minor, late=row.late_minor, unmatched=row.unmatched,
        unmatched_amount=row.unmatched_minor, unmatched_since=row.unmatched_since,
    )  # fmt: skip


def stored(versions: Iterable[TreasuryDay]) -> dict[UUID, Position]:
    """Positions by version, in a few queries."""
    by_id = {version.id: version for version in versions}
    if not by_id:
        return {}
    rows = session().scalars(
        sa.select(TreasuryPosition)
        .where(TreasuryPosition.treasury_day_id.in_(by_id))
        .execution_options(populate_existing=True)
    ).all()  # fmt: skip
    accounts: dict[UUID, list[AccountFigures]] = {}
    for account in session().scalars(
        sa.select(PositionAccount)
        .where(PositionAccount.treasury_day_id.in_(by_id))
        .order_by(PositionAccount.designated.desc(), PositionAccount.bank_account_id)
        .execution_options(populate_existing=True)
    ):
        accounts.setdefault(account.treasury_day_id, []).append(_account(account))
    covered = _covers(by_id)
    found = {}
    for row in rows:
        version = by_id[row.treasury_day_id]
        kept = Figures(
            pool=version.pool, currency=version.currency, day=version.day, client=row.client_minor,
            negative=row.negative_minor, frozen=row.frozen_minor, unrecognized=row.unrecognized_minor,
            accounts=accounts.get(version.id, []), breaks=row.breaks, breaks_without_owner=row.breaks_without_owner,
            breaks_oldest=row.breaks_oldest, kept_as=version.id if row.frozen_at is not None else None,
            kept_at=row.frozen_at, covers=covered.get(version.id, ()), house=_house(row),
        )  # fmt: skip
        found[version.id] = Position(kept, version, row.computed_at, row.frozen_at is not None)
    return found


def _house(row: TreasuryPosition) -> House | None:
    parts = (row.fees_minor, row.income_minor, row.own_minor, row.fx_minor, row.receivable_minor)
    known = [one for one in parts if one is not None]
    return House(*known) if len(known) == len(parts) else None


def _covers(versions: Collection[UUID]) -> dict[UUID, list[Counted]]:
    """What was counted of covers, by version of the day, each as it stood then."""
    counted = session().execute(
        sa.select(PositionCover.treasury_day_id, PositionCover.cover_id, PositionCover.version).where(
            PositionCover.treasury_day_id.in_(versions)
        )
    ).all()  # fmt: skip
    known = cover_queries.versions({(row.cover_id, row.version) for row in counted})
    found: dict[UUID, list[Counted]] = {}
    for row in counted:
        found.setdefault(row.treasury_day_id, []).append(known[row.cover_id, row.version])
    return {key: sorted(rows, key=lambda one: (one.issuer, one.reference, one.cover_id)) for key, rows in found.items()}


_CHANGED = sa.text(
    "SELECT greatest("
    # deleting an import, however old, finishes it anew
    " (SELECT max(finished_at) FROM statement_import),"
    f" (SELECT max(finished_at) FROM (SELECT finished_at FROM match_run ORDER BY id DESC LIMIT {_NEWEST}) AS r),"
    f" (SELECT max(made_at) FROM (SELECT made_at FROM recon_match ORDER BY id DESC LIMIT {_NEWEST}) AS m),"
    " (SELECT max(decided_at) FROM recon_match),"
    " (SELECT max(undone_at) FROM recon_match),"
    " (SELECT at FROM break_event ORDER BY id DESC LIMIT 1),"
    " (SELECT max(changed_at) FROM treasury_account),"
    " (SELECT max(changed_at) FROM treasury_cover),"
    " (SELECT max(since) FROM account_pool))"
)


def changed_at() -> datetime | None:
    """When something that positions are made of changed last: an import, a run, a match (made, decided, undone), a
    break, the register, a cover."""
    found: datetime | None = session().scalar(_CHANGED)
    return found


def of_day(day: date) -> list[Position]:
    """Every pool and currency, those that are short first, then unknown ones, then by currency."""
    versions = {(one.pool, one.currency): one for one in days.of_day(day)}
    known = {position.pair: position for position in stored(versions.values()).values()}
    changed = changed_at()
    # nobody may have begun with one of them: it has no version, and is short perhaps
    stale = {
        pair for pair in {*versions, *pairs(day)}
        if pair not in known or not (known[pair].frozen or _fresh(known[pair], changed))
    }  # fmt: skip
    if stale:
        # one that is prepared keeps its figures; the others are worked out as of now
        moment = clock.now()
        for found in figures(day, among=stale):
            pair = (found.pool, found.currency)
            known[pair] = Position(found, versions.get(pair), moment, frozen=False)
    return sorted(known.values(), key=_order)


def _order(position: Position) -> tuple[object, ...]:
    return (not position.short, not position.unknown, position.figures.currency, position.figures.pool)


def of_version(version: TreasuryDay) -> Position | None:
    """The figures of one version, an older one perhaps; None where it was never worked out."""
    return stored([version]).get(version.id)


def one(pool: str, currency: str, day: date) -> Position:
    """Of one pool and currency, as it stands."""
    version = days.current(pool, currency, day)
    known = of_version(version) if version is not None else None
    if known is not None and (known.frozen or _fresh(known, changed_at())):
        return known
    (now,) = figures(day, only=(pool, currency))
    return Position(now, version, clock.now(), frozen=False)


def _fresh(known: Position, changed: datetime | None) -> bool:
    """Whether nothing that it is made of has changed since it was worked out."""
    return changed is None or changed < known.computed_at


def last_day() -> date | None:
    """The last business day that has ended and whose balances are written."""
    return session().scalar(
        sa.select(BusinessDay.day)
        .where(BusinessDay.snapshot_at.is_not(None))
        .order_by(BusinessDay.day.desc())
        .limit(1)
    )  # fmt: skip


def last_ended() -> date | None:
    """The last business day that has ended, whether its balances are written already or not."""
    return session().scalar(sa.select(sa.func.max(BusinessDay.day)).where(BusinessDay.state == "closed"))


def closed_days(limit: int, *, before: date | None = None) -> Sequence[date]:
    """Closed business days with balances, newest first."""
    query = sa.select(BusinessDay.day).where(BusinessDay.snapshot_at.is_not(None))
    if before is not None:
        query = query.where(BusinessDay.day < before)
    return session().scalars(query.order_by(BusinessDay.day.desc()).limit(limit)).all()


def point(day: date) -> datetime:
    """The moment that both sides are of: the last second of the day where the institution is."""
    return datetime.combine(day + timedelta(days=1), time(), clock.calendar().zone) - timedelta(seconds=1)


def has_ended(day: date) -> bool:
    """Whether it is a business day whose balances are written."""
    return bool(
        session().scalar(sa.select(sa.exists().where(BusinessDay.day == day, BusinessDay.snapshot_at.is_not(None))))
    )
