"""Runs: everything that is open in a bank account as of the end of a business day, pass by pass, in one transaction.

A run that dies leaves nothing: it is made again from the beginning. A dry one does the same work and keeps its figures.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.background import services as background
from dashboard.background.models import BackgroundJob
from dashboard.database import constraint_of, new_id, savepoint, session
from dashboard.errors import NotFound, Refused
from dashboard.ledger.models import BusinessDay
from dashboard.treasury.matching import storing
from dashboard.treasury.matching.models import MatchPlace, MatchRun, ReconBreak, ReconMatch
from dashboard.treasury.matching.passes import amount, batch, breaks, gathering, reference, sums, text
from dashboard.treasury.matching.passes.board import EVERY_PAIR, Board, run
from dashboard.treasury.matching.queries import points
from dashboard.treasury.matching.queries import rules as rule_queries
from dashboard.treasury.matching.queries.windows import timing_from
from dashboard.treasury.matching.rules import RuleSet, Step
from dashboard.treasury.matching.services import recording, signed_days, withdrawing
from dashboard.treasury.matching.services.places import Place, locked, place_of
from dashboard.treasury.matching.vocabulary import MATCH, MatchState, Pass, RunState
from dashboard.treasury.register import queries as register
from dashboard.treasury.statements import queries as statements

#: is told the number of the pass, how many there are, and how many rows of how many are placed
Teller = Callable[[int, int, int, int], None]


#: a line that no match, no proposal and no break tells of: it came after the last run
_UNTOLD = sa.text(
    "SELECT EXISTS (SELECT 1 FROM open_item o WHERE o.bank_account_id = :bank AND o.side = 'bank'"
    " AND o.booking_date <= :day"
    " AND NOT EXISTS (SELECT 1 FROM recon_break b WHERE b.line_id = o.item_id"
    "  AND (b.state <> 'resolved' OR b.resolution = 'accepted'))"
    " AND NOT EXISTS (SELECT 1 FROM recon_match m JOIN match_line l ON l.match_id = m.id"
    "  WHERE m.bank_account_id = :bank AND m.state = 'proposed' AND l.line_id = o.item_id))"
)


def _unheard(_place: int, _of: int, _done: int, _total: int) -> None:
    """Nobody listens."""


def ask(bank_account_id: UUID, day: date, *, dry: bool, by: Actor) -> MatchRun:
    """Ask for a run; one that waits or runs already is the answer.

    Raises NotFound `bankAccountNotFound`, Forbidden, Refused `dayOpen` (nothing is compared before its end),
    `unknownDay`, `noStatement`, `noSettlementAccount`.
    """
    if by.kind != "system":
        by.require(Permission.TREASURY_WRITE)
    place = place_of(bank_account_id)
    _refuse_day(day)
    if statements.of_day(bank_account_id, day) is None:
        raise Refused(
            f"There is no statement for {day.day} {day:%b %Y}. Nothing is compared until it arrives.",
            code="noStatement",
        )
    standing = _waiting(bank_account_id, day, dry)
    if standing is not None:
        return standing
    found = MatchRun(
        id=new_id(), bank_account_id=bank_account_id, day=day, dry=dry, state=RunState.WAITING.value,
        rules_version=rule_queries.newest().version, asked_at=clock.now(), by_kind=by.kind, by_id=by.id,
        by_name=by.name, figures={},
    )  # fmt: skip
    try:
        with savepoint():
            session().add(found)
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "uq_match_run_waiting":
            raise
        other = _waiting(bank_account_id, day, dry)
        if other is None:
            raise
        return other
    job = background.ask(MATCH, {"run": str(found.id)}, by=by)
    found.job_id = job.id
    session().flush()
    audit.record("match_run.asked", by=by, object_type="match_run", object_id=found.id,
                 after={"account": place.name, "day": day.isoformat(), "dry": dry})  # fmt: skip
    return found


def run_due(day: date, *, by: Actor) -> int:
    """Ask for a run of every bank account that has a statement of that day and was not run yet, or has got lines since;
    gives how many."""
    asked = 0
    for view in register.accounts():
        if view.settlement_account_id is None or register.not_a_reconciliation_day(view, day) is not None:
            continue
        if statements.of_day(view.id, day) is None:
            continue
        ran = session().scalar(
            sa.select(sa.literal(1)).where(
                MatchRun.bank_account_id == view.id, MatchRun.day == day, MatchRun.dry.is_(False),
                MatchRun.state == RunState.FINISHED.value,
            ).limit(1)
        )  # fmt: skip
        if ran is None or session().scalar(_UNTOLD, {"bank": view.id, "day": day}):
            ask(view.id, day, dry=False, by=by)
            asked += 1
    return asked


def _refuse_day(day: date) -> None:
    state = session().scalar(sa.select(BusinessDay.state).where(BusinessDay.day == day))
    if state is None:
        raise Refused(f"{day.isoformat()} is no business day of this ledger.", code="unknownDay")
    if state == "open":
        raise Refused(
            f"{day.day} {day:%b %Y} is still open: the ledger may book on it. Run it when the day has ended.",
            code="dayOpen",
        )


def _waiting(bank_account_id: UUID, day: date, dry: bool) -> MatchRun | None:
    return session().scalar(
        sa.select(MatchRun)
        .where(
            MatchRun.bank_account_id == bank_account_id, MatchRun.day == day, MatchRun.dry.is_(dry),
            MatchRun.state.in_([RunState.WAITING.value, RunState.RUNNING.value]),
        )
        .execution_options(populate_existing=True)
    )  # fmt: skip


def begin(run_id: UUID) -> None:
    """The run has been taken up. Raises NotFound."""
    found = _locked(run_id)
    if found.state == RunState.WAITING:
        found.state = RunState.RUNNING.value
        session().flush()


def _locked(run_id: UUID) -> MatchRun:
    found = session().get(MatchRun, run_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound("There is no such run.", code="runNotFound")
    return found


def perform(run_id: UUID, *, by: Actor, tell: Teller = _unheard) -> dict[str, Any]:
    """Do the run in the caller's transaction; gives its figures. Twice has the effect of once. Raises NotFound."""
    # rows of a whole book: no statement of a run is too long, and it waits for people who match by hand
    for setting in ("statement_timeout = 0", "lock_timeout = 0", "work_mem = '256MB'", "jit = off"):
        run(f"SET LOCAL {setting}")
    place = place_of(session().get_one(MatchRun, run_id).bank_account_id)
    standing = locked(place.bank_account_id)
    found = _locked(run_id)
    if found.state in {RunState.FINISHED, RunState.FAILED, RunState.CANCELED}:
        return found.figures
    rules = rule_queries.of_version(found.rules_version)
    if found.dry:
        tried = session().begin_nested()
        try:
            figures = _match(found, place, standing, rules, by, tell)
        finally:
            tried.rollback()
        found = _locked(run_id)
    else:
        figures = _match(found, place, standing, rules, by, tell)
    found.state, found.finished_at, found.figures = RunState.FINISHED.value, clock.now(), figures
    session().flush()
    return figures


def _match(
    found: MatchRun, place: Place, standing: MatchPlace, rules: RuleSet, by: Actor, tell: Teller
) -> dict[str, Any]:
    if not found.dry:
        withdrawing.withdraw_open(place.bank_account_id)
    _look_at_ledger(found.day, place, standing)
    assert standing.swept_on is not None
    # a run of an earlier day looks at all that later ones have seen: it takes nothing of theirs apart
    as_of = max(found.day, standing.swept_on)
    board = Board()
    board.lay_out()
    rows_l, rows_b = gathering.gather(board, place.bank_account_id, as_of)
    steps = list(rules.steps)
    total = max(rows_l, rows_b)
    made = []
    for at, step in enumerate(steps, start=1):
        tell(at, len(steps), rows_b - board.counts[1], total)
        make(board, step)
        made.append(_of_pass(step))
    breaks.find(board, booked_before=timing_from(as_of, rules))
    figures = {"ledgerRows": rows_l, "bankRows": rows_b, "passes": made, **recording.figures(board)}
    if not found.dry:
        storing.store_found(
            bank_account_id=place.bank_account_id, account_id=place.account_id, currency=place.currency,
            run_id=found.id, version=rules.version, at=clock.now(), by=by,
        )  # fmt: skip
        recording.record(board, found, place, rules, by=by)
        _tell_days(found, by=by)
    tell(len(steps), len(steps), total, total)
    return figures


def _tell_days(found: MatchRun, *, by: Actor) -> None:
    """Days that were prepared or signed before this run has matched rows of them, or found breaks in them."""
    first = session().scalar(
        sa.select(
            sa.func.least(
                sa.select(sa.func.min(ReconMatch.last_on))
                .where(ReconMatch.run_id == found.id, ReconMatch.state == MatchState.LIVE.value)
                .scalar_subquery(),
                # a ledger row alone had time until now: it changes nothing before
                sa.select(sa.func.min(ReconBreak.bank_on)).where(ReconBreak.run_id == found.id).scalar_subquery(),
            )
        )
    )
    if first is not None:
        because = f"A match run as of {found.day.isoformat()} has changed what is open."
        signed_days.changed(found.bank_account_id, first, because=because, by=by)


def _look_at_ledger(day: date, place: Place, standing: MatchPlace) -> None:
    """Put among the open ones what the ledger has booked up to `day` and no run has seen, from the first day of the
    first statement on: its opening balance covers what was before. An earlier statement moves that day back."""
    begins = points.begins_on(place.bank_account_id)
    if begins is not None and begins != standing.begins_on:
        if standing.begins_on is not None and standing.swept_on is not None and begins < standing.begins_on:
            gathering.sweep(
                place.bank_account_id, place.account_id, swept_on=begins - timedelta(days=1), day=standing.swept_on
            )
        standing.begins_on = begins
        session().flush()
    if standing.swept_on is None or standing.swept_on < day:
        swept_on = standing.swept_on
        if begins is not None and (swept_on is None or swept_on < begins):
            swept_on = begins - timedelta(days=1)
        gathering.sweep(place.bank_account_id, place.account_id, swept_on=swept_on, day=day)
        standing.swept_on = day
        session().flush()


def make(board: Board, step: Step) -> None:
    """One pass over what is left."""
    match step.key:
        case Pass.REFERENCE:
            reference.find(board, days=step.days)
        case Pass.TEXT:
            text.find(board, days=step.days)
        case Pass.BATCH:
            batch.find(board, days=step.days)
        case Pass.AMOUNT:
            amount.find(board, days=step.days, certain=step.certain)
        case Pass.SUM:
            sums.find(board, days=step.days, certain=step.certain)
        case _:  # pragma: no cover
            raise ValueError(step.key)


def _of_pass(step: Step) -> dict[str, Any]:
    pairs = (
        session()
        .execute(
            sa.text(
                "SELECT count(*) FILTER (WHERE certain), count(*) FILTER (WHERE NOT certain) FROM"
                f" (SELECT certain FROM {EVERY_PAIR} AS p WHERE pass = :key"
                " UNION ALL SELECT certain FROM bundle WHERE pass = :key) AS p"
            ),
            {"key": step.key.value},
        )
        .one()
    )
    return {"pass": step.key.value, "matched": int(pairs[0]), "proposed": int(pairs[1])}


def stopped(job: BackgroundJob) -> None:
    """The work has ended without a run: nothing of it is left."""
    found = session().get(MatchRun, UUID(job.arguments["run"]), with_for_update=True, populate_existing=True)
    if found is not None and found.state in {RunState.WAITING, RunState.RUNNING}:
        found.state = (RunState.CANCELED if job.state == "canceled" else RunState.FAILED).value
        found.finished_at = clock.now()
        session().flush()
