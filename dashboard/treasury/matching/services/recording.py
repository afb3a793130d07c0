"""From what a run has left to breaks: new ones, those that look different now, and those that are no longer there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.database import new_id, session
from dashboard.queues import services as queues
from dashboard.treasury.matching.models import (
    BreakEvent,
    MatchLine,
    MatchRun,
    MatchTransaction,
    OpenItem,
    ReconBreak,
    ReconMatch,
)
from dashboard.treasury.matching.passes.board import Board
from dashboard.treasury.matching.rules import RuleSet
from dashboard.treasury.matching.services.places import Place
from dashboard.treasury.matching.vocabulary import QUEUE, BreakState, Event, MatchState, Resolution


@dataclass(frozen=True)
class _Found:
    kind: str
    cause: str
    line_id: UUID | None
    transaction_id: UUID | None
    bank_minor: int | None
    ledger_minor: int | None
    bank_on: date | None
    ledger_on: date | None
    twin_id: UUID | None

    @property
    def values(self) -> dict[str, Any]:
        dates = [day for day in (self.bank_on, self.ledger_on) if day is not None]
        return {**self.__dict__, "since": min(dates)}


_BREAKS = (
    "SELECT k.kind, coalesce(k.cause, 'unknown') AS cause, b.id AS line_id, l.id AS transaction_id,"
    " b.amount AS bank_minor, l.amount AS ledger_minor, b.booked AS bank_on, l.booked AS ledger_on, k.twin AS twin_id"
    " FROM brk k LEFT JOIN {0} l ON l.n = k.ln LEFT JOIN {1} b ON b.n = k.bn"
    " ORDER BY least(b.booked, l.booked), coalesce(b.id, l.id)"
)


def _found(board: Board) -> list[_Found]:
    rows = session().execute(sa.text(_BREAKS.format(board.left_l, board.left_b)))
    return [_Found(*row) for row in rows]


def figures(board: Board) -> dict[str, Any]:
    """Breaks by kind with count and sum (bank minus ledger), and ledger rows that still have time."""
    rows = session().execute(
        sa.text(
            "SELECT k.kind, count(*), sum(coalesce(b.amount, 0) - coalesce(l.amount, 0))"
            f" FROM brk k LEFT JOIN {board.left_l} l ON l.n = k.ln LEFT JOIN {board.left_b} b ON b.n = k.bn"
            " GROUP BY k.kind ORDER BY k.kind"
        )
    )
    timing = session().execute(
        sa.text(
            f"SELECT count(*), coalesce(sum(l.amount), 0) FROM {board.left_l} l"
            " WHERE NOT EXISTS (SELECT 1 FROM brk k WHERE k.ln = l.n)"
        )
    ).one()  # fmt: skip
    return {
        "breaks": {kind: {"count": int(many), "sumMinor": int(total)} for kind, many, total in rows},
        "timing": {"count": int(timing[0]), "sumMinor": int(timing[1])},
    }


def record(board: Board, run: MatchRun, place: Place, rules: RuleSet, *, by: Actor) -> None:
    """Bring the breaks of the account to what the run has found."""
    found = _found(board)
    settle_gone(place.bank_account_id, run.day, by=by)
    standing = _standing(place.bank_account_id)
    by_line = {one.line_id: one for one in standing if one.line_id is not None}
    by_transaction = {one.transaction_id: one for one in standing if one.transaction_id is not None}
    fresh: list[_Found] = []
    for one in found:
        known = [
            other
            for other in (
                by_line.get(one.line_id) if one.line_id else None,
                by_transaction.get(one.transaction_id) if one.transaction_id else None,
            )
            if other is not None
        ]
        if not known:
            fresh.append(one)
        elif not any(other.resolution == Resolution.ACCEPTED for other in known):
            # what two breaks told is one: the bank's goes on
            for other in known[1:]:
                if other is not known[0]:
                    close(other, Resolution.GONE, Event.GONE, by=by, text="It is part of another break now.")
            _change(known[0], one, by=by)
    _insert(fresh, run, place, rules, by=by)


def _standing(bank_account_id: UUID) -> list[ReconBreak]:
    return list(
        session().scalars(
            sa.select(ReconBreak)
            .where(
                ReconBreak.bank_account_id == bank_account_id,
                sa.or_(
                    ReconBreak.state != BreakState.RESOLVED.value, ReconBreak.resolution == Resolution.ACCEPTED.value
                ),
            )
            .order_by(ReconBreak.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def _change(known: ReconBreak, one: _Found, *, by: Actor) -> None:
    now = one.values
    before, lay_between = {name: getattr(known, name) for name in now}, known.difference_minor
    if before == now:
        return
    for name, value in now.items():
        setattr(known, name, value)
    known.version += 1
    session().flush()
    tell(known, Event.CHANGED, by=by, detail={
        "kind": one.kind, "before": before["kind"], "differenceMinor": known.difference_minor,
        "beforeMinor": lay_between,
    })  # fmt: skip


def _insert(found: list[_Found], run: MatchRun, place: Place, rules: RuleSet, *, by: Actor) -> None:
    if not found:
        return
    moment = clock.now()
    rows = [
        {
            "id": new_id(), "bank_account_id": place.bank_account_id, "currency": place.currency, "state": "open",
            "run_id": run.id, "found_at": moment, **one.values,
        }
        for one in found
    ]  # fmt: skip
    session().execute(sa.insert(ReconBreak), rows)
    session().execute(
        sa.insert(BreakEvent),
        [
            {
                "id": new_id(), "break_id": row["id"], "kind": Event.FOUND.value, "at": moment, "by_kind": by.kind,
                "by_id": by.id, "by_name": by.name,
                "detail": {"day": run.day.isoformat(), "kind": row["kind"], "rules": rules.version},
            }
            for row in rows
        ],
    )  # fmt: skip
    due = clock.calendar().due_after(moment, rules.due_days)
    queues.open_items(QUEUE, [(row["id"], row["kind"]) for row in rows], object_type="recon_break", due_at=due)


def settle_gone(bank_account_id: UUID, day: date | None, *, by: Actor) -> None:
    """Resolve breaks none of whose rows is open any more: matched where a match has them, else gone."""
    open_line = sa.exists().where(
        OpenItem.bank_account_id == bank_account_id, OpenItem.side == "bank", OpenItem.item_id == ReconBreak.line_id
    )
    open_row = sa.exists().where(
        OpenItem.bank_account_id == bank_account_id,
        OpenItem.side == "ledger",
        OpenItem.item_id == ReconBreak.transaction_id,
    )
    over = session().scalars(
        sa.select(ReconBreak)
        .where(
            ReconBreak.bank_account_id == bank_account_id,
            ReconBreak.state != BreakState.RESOLVED.value,
            *([ReconBreak.since <= day] if day is not None else []),
            sa.not_(open_line),
            sa.not_(open_row),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for one in over.all():
        match_id = session().scalar(
            sa.select(ReconMatch.id)
            .where(ReconMatch.bank_account_id == bank_account_id, ReconMatch.state == MatchState.LIVE.value)
            .where(
                ReconMatch.id.in_(
                    sa.select(MatchLine.match_id).where(MatchLine.line_id == one.line_id, MatchLine.live)
                    if one.line_id
                    else sa.select(MatchTransaction.match_id).where(
                        MatchTransaction.transaction_id == one.transaction_id, MatchTransaction.live
                    )
                )
            )
        )
        if match_id is None:
            close(one, Resolution.GONE, Event.GONE, by=by)
        else:
            close(one, Resolution.MATCHED, Event.MATCHED, by=by, match_id=match_id)


def close(
    one: ReconBreak,
    resolution: Resolution,
    event: Event,
    *,
    by: Actor,
    match_id: UUID | None = None,
    text: str | None = None,
    detail: dict[str, Any] | None = None,
    limit_minor: int | None = None,
    approval_id: UUID | None = None,
) -> None:
    """Resolve a break that the caller has locked, and take it from the queue. What was accepted names its limit or
    its approval."""
    told = tell(one, event, by=by, text=text, detail=detail)
    if resolution is Resolution.ACCEPTED:
        one.evidence_id, one.limit_minor, one.approval_id = told, limit_minor, approval_id
    one.state, one.resolution, one.match_id = BreakState.RESOLVED.value, resolution.value, match_id
    one.resolved_at = clock.now()
    one.version += 1
    session().flush()
    queues.close_items(QUEUE, object_id=one.id, by=by)


def tell(
    one: ReconBreak, event: Event, *, by: Actor, text: str | None = None, detail: dict[str, Any] | None = None
) -> UUID:
    """Add to a break's history; gives the event's identifier."""
    told = BreakEvent(
        id=new_id(), break_id=one.id, kind=event.value, at=clock.now(), by_kind=by.kind, by_id=by.id, by_name=by.name,
        text=text, detail=detail or {},
    )  # fmt: skip
    session().add(told)
    session().flush()
    return told.id


__all__ = ["close", "figures", "record", "settle_gone", "tell"]
