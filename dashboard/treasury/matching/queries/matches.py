"""Matches and proposals with their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.money import Money
from dashboard.treasury.matching.models import MatchLine, MatchTransaction, ReconMatch
from dashboard.treasury.matching.queries import items
from dashboard.treasury.matching.queries.items import Row
from dashboard.treasury.matching.vocabulary import PASS_LABELS, MatchState, Pass

#: a figure beside a tab counts no further
MOST_COUNTED = 10_000


@dataclass(frozen=True)
class MatchView:
    """A match with its rows."""

    match: ReconMatch
    rows: Sequence[Row]

    @property
    def id(self) -> UUID:
        return self.match.id

    @property
    def money(self) -> Money:
        return Money(self.match.amount_minor, self.match.currency)

    @property
    def pass_label(self) -> str:
        return PASS_LABELS[Pass(self.match.found_by)]

    @property
    def ledger(self) -> list[Row]:
        return [row for row in self.rows if row.side == "ledger"]

    @property
    def bank(self) -> list[Row]:
        return [row for row in self.rows if row.side == "bank"]


def _conditions(bank_account_id: UUID, state: MatchState, day: date | None) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [
        ReconMatch.bank_account_id == bank_account_id,
        ReconMatch.state == state.value,
    ]
    if day is not None:
        found.append(ReconMatch.last_on == day if state is MatchState.LIVE else ReconMatch.first_on <= day)
    return found


def counted(bank_account_id: UUID, state: MatchState, day: date | None) -> int:
    """How many, counted no further than MOST_COUNTED. Live ones of a day are those whose last row is of that day."""
    some = sa.select(sa.literal(1)).where(*_conditions(bank_account_id, state, day)).limit(MOST_COUNTED).subquery()
    return session().scalar(sa.select(sa.func.count()).select_from(some)) or 0


def listed(
    bank_account_id: UUID,
    state: MatchState,
    day: date | None,
    *,
    after: UUID | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[MatchView]:
    """Newest first. `after` and `before` are the matches at the edge of a page."""
    query = sa.select(ReconMatch).where(*_conditions(bank_account_id, state, day))
    if after is not None:
        query = query.where(ReconMatch.id < after)
    if before is not None:
        query = query.where(ReconMatch.id > before)
    order = ReconMatch.id if before is not None else ReconMatch.id.desc()
    found = list(session().scalars(query.order_by(order).limit(limit).execution_options(populate_existing=True)))
    return with_rows(bank_account_id, found[::-1] if before is not None else found)


def with_rows(bank_account_id: UUID, found: Sequence[ReconMatch]) -> list[MatchView]:
    """These matches with their rows: four queries for all of them."""
    ids = [match.id for match in found]
    lines = session().execute(
        sa.select(MatchLine.match_id, MatchLine.line_id).where(MatchLine.match_id.in_(ids))
    ).tuples().all()  # fmt: skip
    transactions = session().execute(
        sa.select(MatchTransaction.match_id, MatchTransaction.transaction_id).where(MatchTransaction.match_id.in_(ids))
    ).tuples().all()  # fmt: skip
    rows = {
        (row.side, row.id): row
        for row in items.rows(
            bank_account_id, lines={line for _, line in lines}, transactions={row for _, row in transactions}
        )
    }
    of: dict[UUID, list[Row]] = {match_id: [] for match_id in ids}
    for side, pairs in (("ledger", transactions), ("bank", lines)):
        for match_id, item in pairs:
            if (side, item) in rows:
                of[match_id].append(rows[side, item])
    return [MatchView(match, of[match.id]) for match in found]


def one(match_id: UUID) -> MatchView:
    """Raises NotFound `matchNotFound`."""
    found = session().get(ReconMatch, match_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such match.", code="matchNotFound")
    return with_rows(found.bank_account_id, [found])[0]


def of_import(import_id: UUID) -> int:
    """How many lines of an imported file stand in a live match, in a break that was accepted, or in a booking that
    waits for a second person."""
    return (
        session().scalar(
            sa.text(
                "SELECT count(*) FROM statement s JOIN statement_entry e ON e.statement_id = s.id"
                " JOIN statement_line l ON l.entry_id = e.id WHERE s.import_id = :import AND ("
                " EXISTS (SELECT 1 FROM match_line m WHERE m.line_id = l.id AND m.live)"
                " OR EXISTS (SELECT 1 FROM recon_break b WHERE b.line_id = l.id AND b.resolution = 'accepted')"
                " OR l.id IN (SELECT unnest(k.lines) FROM match_booking k"
                "  JOIN approval_request r ON r.id = k.approval_id AND r.state = 'requested'))"
            ),
            {"import": import_id},
        )
        or 0
    )
