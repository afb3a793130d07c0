"""Matches by hand, proposals that a person decides, and undoing one match."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.database import constraint_of, savepoint, session
from dashboard.errors import Conflict, Invalid, NotFound, Refused
from dashboard.money import Money
from dashboard.treasury.matching import storing
from dashboard.treasury.matching.models import MatchLine, MatchTransaction, ReconBreak, ReconMatch
from dashboard.treasury.matching.services import recording, settling, signed_days, withdrawing
from dashboard.treasury.matching.services.picking import Picked, pick
from dashboard.treasury.matching.services.places import Place, locked, place_of
from dashboard.treasury.matching.vocabulary import BreakState, MatchState, Pass, Resolution

LONGEST_REASON = 500
#: of what is let stand for good, so that who reads it later learns something
SHORTEST_ACCEPTANCE = 10
_TAKEN = ("uq_match_line_live", "uq_match_transaction_live")


def reason_of(text: str | None, *, field: str = "reason", wanted: bool = True, shortest: int = 0) -> str:
    """What a person typed, trimmed; `shortest` in characters. Raises Invalid."""
    said = (text or "").strip()
    if wanted and not said:
        raise Invalid.one(field, "Say why.", "required")
    if len(said) < shortest:
        raise Invalid.one(field, f"Say why in at least {shortest} characters.", "tooShort")
    if len(said) > LONGEST_REASON:
        raise Invalid.one(field, f"Use at most {LONGEST_REASON} characters.", "tooLong")
    return said


def match_by_hand(bank_account_id: UUID, *, lines: Sequence[UUID], transactions: Sequence[UUID], by: Actor) -> UUID:
    """Match rows whose sums are equal; gives the match.

    Raises Forbidden, Invalid (field `lines` or `transactions`), Refused `sumsDiffer`, Conflict `alreadyMatched`,
    `matchingUnderWay`.
    """
    by.require(Permission.TREASURY_WRITE)
    place = place_of(bank_account_id)
    locked(bank_account_id)
    picked = pick(place, lines=lines, transactions=transactions)
    if picked.left_minor:
        raise Refused(
            f"The sums differ: {Money(picked.left_minor, place.currency)} would be left. Book it, pick other rows, or"
            " leave it as a break.",
            code="sumsDiffer",
            details={"leftMinor": picked.left_minor},
        )
    return made(place, picked, found_by=Pass.HAND, why=f"by hand: {by.name}", resolution=Resolution.MATCHED, by=by)


def made(place: Place, picked: Picked, *, found_by: Pass, why: str, resolution: Resolution, by: Actor) -> UUID:
    """Store a match of picked rows in a locked account, and settle what it ends. Raises Conflict."""
    try:
        with savepoint():
            match_id = storing.store_by_hand(
                bank_account_id=place.bank_account_id, account_id=place.account_id, currency=place.currency,
                lines=list(picked.lines), transactions=list(picked.transactions), found_by=found_by.value, why=why,
                at=clock.now(), by=by,
            )  # fmt: skip
    except sa.exc.IntegrityError as error:
        if constraint_of(error) not in _TAKEN:
            raise
        raise Conflict("One of these rows has been matched meanwhile.", code="alreadyMatched") from None
    settling.settle(place.bank_account_id, picked.lines, picked.transactions, match_id, resolution, by=by)
    withdrawing.withdraw_of(place.bank_account_id, lines=picked.lines, transactions=picked.transactions)
    made_of = session().get_one(ReconMatch, match_id, populate_existing=True)
    signed_days.changed(place.bank_account_id, made_of.last_on, because=f"Rows were matched: {why}", by=by)
    audit.record("match.made", by=by, object_type="recon_match", object_id=match_id,
                 after={"account": place.name, "by": found_by.value, "amountMinor": picked.bank_minor})  # fmt: skip
    return match_id


def _of(match_id: UUID) -> ReconMatch:
    """The match, with its account locked before it. Raises NotFound, Conflict `matchingUnderWay`."""
    found = session().get(ReconMatch, match_id)
    if found is None:
        raise NotFound("There is no such match.", code="matchNotFound")
    locked(found.bank_account_id)
    return session().get_one(ReconMatch, match_id, with_for_update=True, populate_existing=True)


def accept(match_id: UUID, *, by: Actor) -> ReconMatch:
    """Let a proposal stand. Raises NotFound, Forbidden, Conflict `alreadyDecided`, `alreadyMatched`."""
    by.require(Permission.TREASURY_WRITE)
    found = _of(match_id)
    _proposed(found)
    lines, transactions = rows_of(match_id)
    try:
        with savepoint():
            _decide(found, MatchState.LIVE, at=clock.now(), by=by)
    except sa.exc.IntegrityError as error:
        if constraint_of(error) not in _TAKEN:
            raise
        raise Conflict("One of its rows has been matched meanwhile.", code="alreadyMatched") from None
    settling.settle(found.bank_account_id, lines, transactions, match_id, Resolution.MATCHED, by=by)
    withdrawing.withdraw_of(found.bank_account_id, lines=lines, transactions=transactions)
    signed_days.changed(found.bank_account_id, found.last_on, because=f"A proposal was accepted by {by.name}.", by=by)
    audit.record("match.accepted", by=by, object_type="recon_match", object_id=match_id)
    return session().get_one(ReconMatch, match_id, populate_existing=True)


def reject(match_id: UUID, *, by: Actor) -> ReconMatch:
    """Say no to a proposal: a run does not propose the same rows again. Raises NotFound, Forbidden, Conflict."""
    by.require(Permission.TREASURY_WRITE)
    found = _of(match_id)
    _proposed(found)
    _decide(found, MatchState.REJECTED, at=clock.now(), by=by)
    audit.record("match.rejected", by=by, object_type="recon_match", object_id=match_id)
    return session().get_one(ReconMatch, match_id, populate_existing=True)


def _proposed(found: ReconMatch) -> None:
    if found.state != MatchState.PROPOSED:
        raise Conflict("This proposal has been decided already.", code="alreadyDecided",
                       details={"state": found.state})  # fmt: skip


def _decide(found: ReconMatch, state: MatchState, *, at: datetime, by: Actor) -> None:
    session().execute(
        sa.update(ReconMatch)
        .where(ReconMatch.id == found.id)
        .values(state=state.value, decided_at=at, decided_by_id=by.id, decided_by=by.name)
        .execution_options(synchronize_session=False)
    )


def undo(match_id: UUID, *, because: str, by: Actor) -> ReconMatch:
    """Take one match apart: its rows are open again, and breaks that it had resolved are open again in their place.

    Raises NotFound, Forbidden, Invalid (field `reason`), Conflict `notLive`.
    """
    by.require(Permission.TREASURY_WRITE)
    why = reason_of(because)
    found = _of(match_id)
    if found.state != MatchState.LIVE:
        raise Conflict("This match does not stand any more.", code="notLive", details={"state": found.state})
    session().execute(
        sa.update(ReconMatch)
        .where(ReconMatch.id == match_id)
        .values(
            state=MatchState.UNDONE.value, undone_at=clock.now(), undone_by_id=by.id, undone_by=by.name,
            undone_because=why,
        )
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    ended = session().scalars(
        sa.select(ReconBreak)
        .where(ReconBreak.match_id == match_id, ReconBreak.state == BreakState.RESOLVED.value)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for one in ended.all():
        recording.open_again(one, text=f"Its match was undone: {why}", by=by)
    signed_days.changed(found.bank_account_id, found.first_on, because=f"A match was undone: {why}", by=by)
    audit.record("match.undone", by=by, object_type="recon_match", object_id=match_id, reason=why)
    return session().get_one(ReconMatch, match_id, populate_existing=True)


def rows_of(match_id: UUID) -> tuple[list[UUID], list[UUID]]:
    """Lines and ledger rows of a match, in their places."""
    lines = session().scalars(
        sa.select(MatchLine.line_id).where(MatchLine.match_id == match_id).order_by(MatchLine.position)
    )
    transactions = session().scalars(
        sa.select(MatchTransaction.transaction_id)
        .where(MatchTransaction.match_id == match_id)
        .order_by(MatchTransaction.position)
    )
    return list(lines), list(transactions)
