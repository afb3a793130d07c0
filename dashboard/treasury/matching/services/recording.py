"""From what a run has left to breaks: new ones, those that look different now, and those that are no longer there."""

from __future__ import annotations

from collections.abc import Sequence
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
from dashboard.treasury.matching.queries.rules import in_force
from dashboard.treasury.matching.rules import RuleSet
from dashboard.treasury.matching.services.places import Place
from dashboard.treasury.matching.vocabulary import QUEUE, BreakKind, BreakState, Event, Resolution, Side


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
    settle_gone(place.bank_account_id, by=by)
    standing = _standing(place.bank_account_id)
    by_line = {one.line_id: one for one in standing if one.line_id is not None}
    by_transaction = {one.transaction_id: one for one in standing if one.transaction_id is not None}
    fresh: list[_Found] = []
    told: set[UUID] = set()
    for one in found:
        beside = [by_line.get(one.line_id) if one.line_id else None]
        beside.append(by_transaction.get(one.transaction_id) if one.transaction_id else None)
        known = [other for other in dict.fromkeys(beside) if other is not None and other.id not in told]
        told.update(other.id for other in known)
        if not known:
            fresh.append(one)
            continue
        if len(known) == 1 and known[0].resolution == Resolution.ACCEPTED and _alike(known[0], one):
            continue
        for other in known:
            if other.resolution == Resolution.ACCEPTED:
                # other rows or another amount than somebody let stand: that is for people to decide anew
                open_again(other, text="It is of other rows or of another amount now.", by=by)
        # what two breaks told is one: the bank's goes on
        for other in known[1:]:
            close(other, Resolution.GONE, Event.GONE, by=by, text="It is part of another break now.")
        _change(known[0], one, by=by)
    _insert(fresh, run, place, rules, by=by)
    for other in standing:
        if other.id not in told:
            _without_matched(other, by=by)


def _alike(known: ReconBreak, one: _Found) -> bool:
    """Whether a break is of the same rows and amounts as what was found."""
    return (known.line_id, known.transaction_id, known.bank_minor, known.ledger_minor) == (
        one.line_id, one.transaction_id, one.bank_minor, one.ledger_minor
    )  # fmt: skip


def _without_matched(one: ReconBreak, *, by: Actor) -> None:
    """Of a break of two rows one of which is matched now, the other goes on alone."""
    if one.line_id is None or one.transaction_id is None:
        return
    still = set(
        session().scalars(
            sa.select(OpenItem.side).where(
                OpenItem.bank_account_id == one.bank_account_id, OpenItem.item_id.in_([one.line_id, one.transaction_id])
            )
        )
    )
    if len(still) == 1:
        if one.resolution == Resolution.ACCEPTED:
            open_again(one, text="One of its rows was matched.", by=by)
        goes_on(one, side=still.pop(), by=by)


def goes_on(one: ReconBreak, *, side: str, by: Actor, text: str = "One of its rows was matched with another.") -> None:
    """An open break of two rows that the caller has locked goes on with its row of one side."""
    if side == Side.LEDGER:
        one.kind, one.since = BreakKind.MISSING_IN_STATEMENT.value, one.ledger_on or one.since
        one.line_id = one.bank_minor = one.bank_on = None
    else:
        one.kind, one.since = BreakKind.MISSING_IN_LEDGER.value, one.bank_on or one.since
        one.transaction_id = one.ledger_minor = one.ledger_on = None
    one.version += 1
    session().flush()
    tell(one, Event.CHANGED, by=by, text=text, detail={"kind": one.kind})


def open_again(one: ReconBreak, *, text: str, by: Actor) -> None:
    """The break that the caller has locked is open again; its history tells why, and the queue has it again."""
    one.state, one.resolution, one.resolved_at = BreakState.OPEN.value, None, None
    one.match_id = one.approval_id = one.evidence_id = one.limit_minor = None
    one.reopened += 1
    one.version += 1
    session().flush()
    tell(one, Event.REOPENED, by=by, text=text)
    queues.open_item(
        QUEUE, cause=one.kind, object_type="recon_break", object_id=one.id, client_id=None,
        due_at=clock.calendar().due_after(clock.now(), in_force().due_days),
    )  # fmt: skip


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


def settle_gone(bank_account_id: UUID, *, by: Actor) -> None:
    """Resolve breaks none of whose rows is open any more, those that were accepted too: matched where a match has
    them, else gone."""
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
            sa.or_(ReconBreak.state != BreakState.RESOLVED.value, ReconBreak.resolution == Resolution.ACCEPTED.value),
            sa.not_(open_line),
            sa.not_(open_row),
        )
        .order_by(ReconBreak.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()  # fmt: skip
    if not over:
        return
    of_lines, of_rows = _live_matches(bank_account_id, over)
    moment = clock.now()
    events, changes = [], []
    for one in over:
        match_id = (of_lines.get(one.line_id) if one.line_id else None) or (
            of_rows.get(one.transaction_id) if one.transaction_id else None
        )
        if one.state == BreakState.RESOLVED:
            # what was accepted as it is has found its other side after all
            open_again(one, text="Its rows are being matched." if match_id else "Its rows have gone.", by=by)
        events.append(
            {
                "id": new_id(), "break_id": one.id, "at": moment, "by_kind": by.kind, "by_id": by.id,
                "by_name": by.name, "kind": (Event.MATCHED if match_id else Event.GONE).value,
            }
        )  # fmt: skip
        changes.append(
            {
                "id": one.id, "state": BreakState.RESOLVED.value, "match_id": match_id, "resolved_at": moment,
                "resolution": (Resolution.MATCHED if match_id else Resolution.GONE).value, "version": one.version + 1,
            }
        )  # fmt: skip
    # there may be as many as a book has rows: three queries for all of them
    session().execute(sa.insert(BreakEvent), events)
    session().execute(sa.update(ReconBreak), changes)
    queues.close_many(QUEUE, object_ids=[one.id for one in over], by=by)
    for one in over:
        session().expire(one)


def _live_matches(bank_account_id: UUID, of: Sequence[ReconBreak]) -> tuple[dict[UUID, UUID], dict[UUID, UUID]]:
    """Line or ledger row of these breaks to the live match that has it."""
    found = []
    for key, table, wanted in (
        (MatchLine.line_id, MatchLine, {one.line_id for one in of if one.line_id}),
        (MatchTransaction.transaction_id, MatchTransaction, {one.transaction_id for one in of if one.transaction_id}),
    ):
        rows = session().execute(
            sa.select(key, ReconMatch.id)
            .join(ReconMatch, ReconMatch.id == table.match_id)
            .where(table.live, key.in_(wanted), ReconMatch.bank_account_id == bank_account_id)
        )  # fmt: skip
        found.append({row[0]: row[1] for row in rows})
    return found[0], found[1]


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


__all__ = ["close", "figures", "goes_on", "open_again", "record", "settle_gone", "tell"]
