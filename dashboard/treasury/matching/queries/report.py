"""The reconciliation report of a bank account and period (GL-28).

Its moment is that of the newest thing in it, not of its making: the same data give the same report.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.errors import Invalid
from dashboard.treasury.days import queries as days
from dashboard.treasury.matching.models import BreakEvent, MatchRun, ReconBreak, ReconMatch
from dashboard.treasury.matching.queries import items
from dashboard.treasury.matching.queries.items import Row
from dashboard.treasury.matching.queries.points import BREAKS_ON, Equation, as_of, equation, statement_for
from dashboard.treasury.matching.vocabulary import BreakState, MatchState, Resolution, RunState
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.queries import BankAccountView

#: days of one report
LONGEST_PERIOD = 366


@dataclass(frozen=True)
class Matched:
    """Live matches whose last row was booked in the period. Sums in minor units: what came in and what left."""

    count: int
    in_minor: int
    out_minor: int


@dataclass(frozen=True)
class Signature:
    """A version of a treasury day in the period."""

    pool: str
    day: date
    version: int
    state: str
    prepared_by: str | None
    prepared_at: datetime | None
    signed_by: str | None
    signed_at: datetime | None


@dataclass(frozen=True)
class Report:
    """Everything that the report tells. Amounts in minor units as the bank sees them; None is not known."""

    account: BankAccountView
    first: date
    last: date
    opening: Equation
    closing: Equation
    opening_statement_minor: int | None
    matched: Matched
    breaks: Sequence[ReconBreak]
    #: those of them that nobody had resolved as of the last day, whatever has become of them since
    unresolved: Collection[UUID]
    rows: dict[UUID, list[Row]]
    rules_versions: Sequence[int]
    signatures: Sequence[Signature]
    #: the newest thing in it; None where there is nothing yet
    as_of: datetime | None
    resolved_by: dict[UUID, str] = field(default_factory=dict)

    def state_of(self, one: ReconBreak) -> tuple[str, str | None]:
        """State and resolution of a break as of the last day."""
        if one.id in self.unresolved and one.state == BreakState.RESOLVED:
            return BreakState.OPEN.value, None
        return one.state, one.resolution


def report(bank_account_id: UUID, first: date, last: date) -> Report:
    """Raises NotFound `bankAccountNotFound`, Invalid (field `to`)."""
    view = register.account(bank_account_id)
    if last < first:
        raise Invalid.one("to", "The last day is not before the first.", "range")
    if (last - first).days >= LONGEST_PERIOD:
        raise Invalid.one("to", f"Ask for at most {LONGEST_PERIOD} days.", "range")
    before = register.previous_reconciliation_day(view, first)
    statement = statement_for(view, before)
    stood = {
        row.id: row.accepted
        for row in session().execute(sa.text(f"SELECT id, accepted FROM ({BREAKS_ON}) AS b"), as_of(view.id, last))
    }
    found = _breaks(bank_account_id, first, last, stood.keys())
    told = items.rows(
        bank_account_id,
        lines={one.line_id for one in found if one.line_id},
        transactions={one.transaction_id for one in found if one.transaction_id},
    )
    by_id = {(row.side, row.id): row for row in told}
    rows = {
        one.id: [
            by_id[key]
            for key in (("ledger", one.transaction_id), ("bank", one.line_id))
            if key[1] is not None and key in by_id
        ]
        for one in found
    }
    runs = session().execute(
        sa.select(MatchRun.rules_version, sa.func.max(MatchRun.finished_at))
        .where(
            MatchRun.bank_account_id == bank_account_id, MatchRun.dry.is_(False), MatchRun.day.between(first, last),
            MatchRun.state == RunState.FINISHED.value,
        )
        .group_by(MatchRun.rules_version)
        .order_by(MatchRun.rules_version)
    ).all()  # fmt: skip
    signatures = _signatures(view, first, last)
    moments = [
        *(row[1] for row in runs),
        *_moments(bank_account_id, first, last, [one.id for one in found]),
        *(moment for one in signatures for moment in (one.prepared_at, one.signed_at)),
    ]
    known = [moment for moment in moments if moment is not None]
    return Report(
        account=view,
        first=first,
        last=last,
        opening=equation(bank_account_id, before),
        closing=equation(bank_account_id, last),
        opening_statement_minor=statement.closing_minor if statement is not None else None,
        matched=_matched(bank_account_id, first, last),
        breaks=found,
        unresolved={one for one, accepted in stood.items() if not accepted},
        rows=rows,
        rules_versions=[row[0] for row in runs],
        signatures=signatures,
        as_of=max(known) if known else None,
    )


def _breaks(bank_account_id: UUID, first: date, last: date, still: Collection[UUID]) -> list[ReconBreak]:
    """Those that stood as of the last day, and those that ended in the period: by a match whose last row is of it, or
    because rows of it have gone."""
    ended = sa.exists().where(
        ReconMatch.id == ReconBreak.match_id, ReconMatch.last_on.between(first, last),
        ReconMatch.state == MatchState.LIVE.value,
    )  # fmt: skip
    return list(
        session().scalars(
            sa.select(ReconBreak)
            .where(
                ReconBreak.bank_account_id == bank_account_id,
                ReconBreak.since <= last,
                sa.or_(
                    ReconBreak.id.in_(still),
                    sa.and_(ReconBreak.state == BreakState.RESOLVED.value, ended),
                    sa.and_(ReconBreak.resolution == Resolution.GONE.value, ReconBreak.since >= first),
                ),
            )
            .order_by(ReconBreak.since, ReconBreak.kind, ReconBreak.difference_minor, ReconBreak.id)
            .execution_options(populate_existing=True)
        )
    )


def _matched(bank_account_id: UUID, first: date, last: date) -> Matched:
    row = session().execute(
        sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(ReconMatch.amount_minor).filter(ReconMatch.amount_minor > 0), 0),
            sa.func.coalesce(-sa.func.sum(ReconMatch.amount_minor).filter(ReconMatch.amount_minor < 0), 0),
        ).where(
            ReconMatch.bank_account_id == bank_account_id,
            ReconMatch.state == MatchState.LIVE.value,
            ReconMatch.last_on.between(first, last),
        )
    ).one()  # fmt: skip
    return Matched(int(row[0]), int(row[1]), int(row[2]))


def _moments(bank_account_id: UUID, first: date, last: date, break_ids: list[UUID]) -> list[Any]:
    of_matches = session().execute(
        sa.select(
            sa.func.max(ReconMatch.made_at), sa.func.max(ReconMatch.decided_at), sa.func.max(ReconMatch.undone_at)
        ).where(ReconMatch.bank_account_id == bank_account_id, ReconMatch.last_on.between(first, last))
    ).one()  # fmt: skip
    of_breaks = session().scalar(sa.select(sa.func.max(BreakEvent.at)).where(BreakEvent.break_id.in_(break_ids)))
    return [*of_matches, of_breaks]


def _signatures(view: BankAccountView, first: date, last: date) -> list[Signature]:
    if view.pool is None:
        return []
    return [
        Signature(
            one.pool, one.day, one.version, one.state, one.prepared_by, one.prepared_at, one.signed_by, one.signed_at
        )
        for one in days.in_period(view.pool, view.currency, first, last)
    ]
