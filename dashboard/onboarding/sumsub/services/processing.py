"""Making something of the events that were kept.

An applicant's events are processed under the lock of its row, so two processes never work on one applicant; the client
is locked beneath it. What all events say together (`folding`) is handed to `clients.services.verification`, which has
each effect once. Everything happens in one transaction: a process that ends in the midst of it leaves the events
waiting, and nothing of what it did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.clients.models import Client
from dashboard.clients.services import lock
from dashboard.clients.services.verification import Outcome, Told, record
from dashboard.clients.vocabulary import KycEffect, KycState
from dashboard.database import new_id, session
from dashboard.onboarding.sumsub import confirming, fitting, reader
from dashboard.onboarding.sumsub.folding import SKEW, Event, Folded, Place, fold, newest_applicant
from dashboard.onboarding.sumsub.models import SumsubApplicant, SumsubEvent
from dashboard.onboarding.sumsub.reader import Message, Review
from dashboard.onboarding.sumsub.rules import rules
from dashboard.onboarding.sumsub.services import doubts
from dashboard.onboarding.sumsub.vocabulary import EventEffect, Source, Type, Verdict

#: effects after which an event that tells a state has had its turn
_HAD = frozenset({EventEffect.APPLIED.value, EventEffect.OUT_OF_DATE.value})
#: an event that waits, or that waits for its client
_WAITS = frozenset({None, EventEffect.UNKNOWN_CLIENT.value, EventEffect.MEMBER.value})
#: failures of one applicant after which a person is asked to look
MOST_FAILURES = 5
LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True)
class Processed:
    """`events`: those that had their turn now. `effect`: what the newest outcome did to the client, if anything."""

    applicant_id: str
    events: int
    client_id: UUID | None = None
    effect: KycEffect | None = None


def waiting(limit: int = 50) -> list[str]:
    """Applicants with events that nobody has processed, those that failed only once their pause is over."""
    applicant = SumsubApplicant
    return list(
        session().scalars(
            sa.select(SumsubEvent.applicant_id)
            .distinct()
            .outerjoin(applicant, applicant.applicant_id == SumsubEvent.applicant_id)
            .where(
                SumsubEvent.verdict == Verdict.ACCEPTED.value,
                SumsubEvent.processed_at.is_(None),
                sa.or_(applicant.try_again_at.is_(None), applicant.try_again_at <= clock.now()),
            )
            .order_by(SumsubEvent.applicant_id)
            .limit(limit)
        )
    )


def arrived(limit: int = 50) -> list[str]:
    """Applicants whose client was not here when they were told of, and is now."""
    wanted = sa.case(
        (SumsubApplicant.external_user_id.op("~")(_UUID), sa.cast(SumsubApplicant.external_user_id, sa.UUID))
    )
    return list(
        session().scalars(
            sa.select(SumsubApplicant.applicant_id)
            .join(Client, Client.id == wanted)
            .where(
                SumsubApplicant.client_id.is_(None),
                SumsubApplicant.external_user_id.is_not(None),
                Client.purged_at.is_(None),
            )
            .order_by(SumsubApplicant.applicant_id)
            .limit(limit)
        )
    )


_UUID = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


def process(applicant_id: str, *, by: Actor, wait: bool = False) -> Processed | None:
    """Process what waits of one applicant, in the caller's transaction; None where another process is at it.

    Doing it again with nothing new has no effect, but that what stood in the way may be gone: an approval that was
    held back is tried again, and a client that came meanwhile is found. `wait`: rather wait for the other process.
    """
    applicant = _locked(applicant_id, wait=wait)
    if applicant is None:
        return None
    rows = _events_of([applicant_id])
    client = _client_of(applicant, rows)
    if client is None:
        return _without_client(applicant, rows, by=by)
    # other applicants of the same client are read under the client's lock: theirs may have been processed just now
    lock.locked(client.id)
    fresh = [row for row in rows if row.effect in _WAITS]
    strangers = frozenset(row.id for row in rows if not _is_own(row, applicant))
    rows_here = [row for row in rows if row.id not in strangers]
    effects = _plain_effects(fresh, rows, strangers)
    stateful = [row for row in fresh if row.id not in effects]
    ours, chosen = _folds(client.id, applicant, rows_here)
    effect = None
    if chosen is not None and chosen[1].known:
        newest = max((_place(row) for row in rows_here if row.effect in _HAD), default=None)
        for row in stateful:
            overtaken = chosen[0] != applicant_id or (newest is not None and _place(row) < newest)
            effects[row.id] = EventEffect.OUT_OF_DATE if overtaken else EventEffect.APPLIED
        late, passed = _outcomes(ours, chosen[1], effects)
        passed = [_confirmed_or_not(each, applicant_id, client.id) for each in passed]
        waits, misfit = confirming.waits_for(*chosen, client.id), _misfit(client, *chosen)
        effect = record(
            client.id, told=replace(_told(*chosen), unconfirmed=misfit or waits), passed=passed, late=late, by=by
        )
        # also where it opens nothing: what is not confirmed may hide what would close
        if waits and (stateful or effect is KycEffect.HELD_BACK):
            confirming.ask(chosen[0], client.id)
        if chosen[0] == applicant_id:
            doubts.of_client(client, chosen[1], effect, by=by, unconfirmed=waits is not None and misfit is None)
        doubts.final_late(client, [each.event_id for each in late if each.state is KycState.REJECTED])
    doubts.of_events(fresh, rows_here, effects, strangers=strangers, client_id=client.id)
    doubts.client_found(applicant, by=by)
    _mark(fresh, effects, client.id)
    _describe(applicant, ours, rows_here)
    return Processed(applicant_id, len(fresh), client.id, effect)


def failed(applicant_id: str) -> None:
    """Processing broke: leave it alone for a while, longer each time, and ask a person when it goes on."""
    _ensure(applicant_id)
    applicant = session().scalars(
        sa.select(SumsubApplicant).where(SumsubApplicant.applicant_id == applicant_id).with_for_update()
    ).one()  # fmt: skip
    applicant.failures += 1
    pause = min(timedelta(seconds=2 ** min(applicant.failures, 12)), LONGEST_PAUSE)
    applicant.try_again_at = clock.now() + pause
    if applicant.failures == MOST_FAILURES:
        doubts.processing_failed(applicant)
    session().flush()


def _ensure(applicant_id: str) -> None:
    session().execute(
        postgresql.insert(SumsubApplicant)
        .values(id=new_id(), applicant_id=applicant_id, created_at=clock.now())
        .on_conflict_do_nothing()
    )


def _locked(applicant_id: str, *, wait: bool) -> SumsubApplicant | None:
    _ensure(applicant_id)
    return session().scalar(
        sa.select(SumsubApplicant)
        .where(SumsubApplicant.applicant_id == applicant_id)
        .with_for_update(skip_locked=not wait, key_share=True)
        .execution_options(populate_existing=True)
    )


def _events_of(applicant_ids: Sequence[str]) -> list[SumsubEvent]:
    return list(
        session().scalars(
            sa.select(SumsubEvent)
            .where(SumsubEvent.applicant_id.in_(applicant_ids), SumsubEvent.verdict == Verdict.ACCEPTED.value)
            .order_by(SumsubEvent.id)
            .execution_options(populate_existing=True)
        )
    )


def message_of(row: SumsubEvent) -> Message:
    """What the event says: from its body, or from what was read of it where the body was emptied."""
    if row.body is not None:
        return reader.read(row.body)
    return Message(
        type=row.type, applicant_id=row.applicant_id, external_user_id=row.external_user_id,
        correlation_id=row.correlation_id, level=row.level, previous_level=None, review_status=row.review_status,
        review=Review(row.answer, row.reject_type), sandbox=row.sandbox, told_at=row.told_at, whole_seconds=False,
        member_of=False, applicant_type=None, transaction_id=None, meaning=row.meaning or row.digest,
    )  # fmt: skip


def _place(row: SumsubEvent) -> Place:
    assert row.ordered_at is not None and row.ordered_rank is not None and row.meaning is not None
    return Place(row.ordered_at, row.ordered_rank, row.meaning)


def counts_here(row: SumsubEvent) -> bool:
    """In production nothing that was only tried out opens or closes anything."""
    return not (rules().production and (row.sandbox or row.source == Source.SIMULATION.value))


def _is_believed(row: SumsubEvent) -> bool:
    """An answer that we asked for came by our asking and by no other way, and no approval is of a time to come."""
    if row.type == Type.STATUS_PULLED:
        return row.source == Source.PULL
    opens = row.type == Type.ACTIVATED or (row.review_status == "completed" and row.answer == "GREEN")
    return not (opens and row.told_at is not None and row.told_at > row.received_at + SKEW)


def _tells_state(row: SumsubEvent) -> bool:
    return reader.tells_state(row.type) and counts_here(row) and _is_believed(row)


def _confirmed_or_not(outcome: Outcome, applicant_id: str, client_id: UUID) -> Outcome:
    if outcome.state is not KycState.APPROVED:
        return outcome
    return replace(outcome, unconfirmed=not confirming.is_confirmed(applicant_id, outcome.event_id, client_id))


def _misfit(client: Client, applicant_id: str, folded: Folded) -> str | None:
    """Why the approval is not one of this client, in words."""
    if folded.state is not KycState.APPROVED or folded.outcome is None:
        return None
    told = session().get_one(SumsubEvent, folded.outcome.event_id)
    words = session().scalars(confirming.words(applicant_id, told, client.id))
    return fitting.misfit(client, folded.outcome.level, [message_of(row) for row in (told, *words)])


def _fold(rows: Iterable[SumsubEvent]) -> Folded:
    events = []
    for row in rows:
        if reader.is_folded(row.type) and counts_here(row) and _is_believed(row):
            assert row.told_at is not None
            events.append(Event(row.id, _place(row), row.told_at, message_of(row)))
    return fold(events, workflow_levels=rules().workflow_levels)


def _folds(
    client_id: UUID, applicant: SumsubApplicant, rows: Sequence[SumsubEvent]
) -> tuple[Folded, tuple[str, Folded] | None]:
    """What this applicant's events say, and what those of the applicant say that counts for the client."""
    ours = _fold(rows)
    others = list(
        session().scalars(
            sa.select(SumsubApplicant.applicant_id).where(
                SumsubApplicant.client_id == client_id, SumsubApplicant.applicant_id != applicant.applicant_id
            )
        )
    )
    found = [(applicant.applicant_id, ours)]
    if others:
        theirs = _events_of(others)
        found += [(other, _fold(row for row in theirs if row.applicant_id == other)) for other in others]
    number = newest_applicant(found)
    if number is None:
        return ours, None
    which, chosen = found[number]
    # a client that was rejected for good does not begin anew by being somebody else
    final = any(one.final_before for _, one in found)
    return ours, (which, replace(chosen, final_before=final))


def _told(applicant_id: str, folded: Folded) -> Told:
    event = folded.event
    assert event is not None
    return Told(
        applicant_id=applicant_id, state=folded.state, at=event.told_at, event_id=event.id,
        event_type=event.message.type or "", outcome=folded.outcome, level=folded.level,
        review_status=folded.review_status, answer=folded.answer, reject_type=folded.reject_type,
        labels=folded.labels, moderation_comment=folded.moderation_comment, client_comment=folded.client_comment,
        attempts=folded.attempts, data_changed_at=folded.data_changed_at,
    )  # fmt: skip


def _outcomes(ours: Folded, chosen: Folded, effects: dict[UUID, EventEffect]) -> tuple[list[Outcome], list[Outcome]]:
    """Outcomes among the events that have their turn now and are not the one that counts: late ones, passed ones."""
    current = chosen.outcome.event_id if chosen.outcome else None
    others = [each for each in ours.outcomes if each.event_id != current]
    return (
        [each for each in others if effects.get(each.event_id) is EventEffect.OUT_OF_DATE],
        [each for each in others if effects.get(each.event_id) is EventEffect.APPLIED],
    )


def _is_own(row: SumsubEvent, applicant: SumsubApplicant) -> bool:
    """An event of this applicant that names another client than the others did is nobody's: a person must look."""
    named, own = row.external_user_id, applicant.external_user_id
    return named is None or own is None or named == own


def _plain_effects(
    fresh: Sequence[SumsubEvent], rows: Sequence[SumsubEvent], strangers: frozenset[UUID]
) -> dict[UUID, EventEffect]:
    """Effects of events that tell no state here: noted, the same in other bytes, from a sandbox."""
    first: dict[tuple[bool, str], UUID] = {}
    for row in rows:
        if row.meaning is not None:
            first.setdefault((row.source == Source.PULL, row.meaning), row.id)
    effects = {}
    for row in fresh:
        if row.meaning is not None and first[row.source == Source.PULL, row.meaning] != row.id:
            effects[row.id] = EventEffect.DUPLICATE
        elif not counts_here(row):
            effects[row.id] = EventEffect.SANDBOX
        elif not _tells_state(row) or row.id in strangers:
            effects[row.id] = EventEffect.NOTED
    return effects


def _client_of(applicant: SumsubApplicant, rows: Sequence[SumsubEvent]) -> Client | None:
    """The client that is meant: once found it stays. Whose data has been deleted is nobody any more."""
    if applicant.client_id is not None:
        known = session().get(Client, applicant.client_id)
        return known if known is not None and known.purged_at is None else None
    named = [row for row in sorted(rows, key=_place) if row.external_user_id and counts_here(row)]
    if named and applicant.external_user_id is None:
        applicant.external_user_id = named[0].external_user_id
    for row in named:
        wanted = reader.client_id(row.external_user_id)
        client = session().get(Client, wanted) if wanted else None
        if client is not None and client.purged_at is None:
            applicant.client_id, applicant.external_user_id = client.id, row.external_user_id
            return client
    return None


def _without_client(applicant: SumsubApplicant, rows: Sequence[SumsubEvent], *, by: Actor) -> Processed:
    """Nobody here is meant, so far: it is kept, and taken up when the client comes."""
    fresh = [row for row in rows if row.effect is None]
    effects = _plain_effects(fresh, rows, frozenset())
    if _is_gone(applicant, rows):
        otherwise = EventEffect.NOTED
    elif any(message_of(row).member_of for row in rows):
        otherwise = EventEffect.MEMBER
    else:
        otherwise = EventEffect.UNKNOWN_CLIENT
    for row in fresh:
        effects.setdefault(row.id, otherwise)
    if EventEffect.UNKNOWN_CLIENT in effects.values():
        doubts.client_unknown(applicant)
    doubts.of_events(fresh, rows, effects, strangers=frozenset(), client_id=None)
    _mark(fresh, effects, None)
    _describe(applicant, _fold(rows), rows)
    return Processed(applicant.applicant_id, len(fresh))


def _is_gone(applicant: SumsubApplicant, rows: Sequence[SumsubEvent]) -> bool:
    """Whether it is of a client whose data has been deleted: nothing is to be found out about that."""
    named = {reader.client_id(row.external_user_id) for row in rows} | {applicant.client_id}
    query = sa.select(sa.exists().where(Client.id.in_(named - {None}), Client.purged_at.is_not(None)))
    return bool(session().scalar(query))


def _mark(fresh: Sequence[SumsubEvent], effects: dict[UUID, EventEffect], client_id: UUID | None) -> None:
    moment = clock.now()
    for row in fresh:
        effect = effects[row.id].value
        if (row.effect, row.client_id) != (effect, client_id):
            row.effect, row.processed_at, row.client_id = effect, moment, client_id
    session().flush()


def _describe(applicant: SumsubApplicant, folded: Folded, rows: Sequence[SumsubEvent]) -> None:
    telling = [
        min(row.told_at, row.received_at + SKEW) for row in rows if _tells_state(row) and row.told_at is not None
    ]
    applicant.state = folded.state.value if folded.known else None
    applicant.level = folded.level
    applicant.first_told_at, applicant.last_told_at = (min(telling), max(telling)) if telling else (None, None)
    applicant.last_received_at = max((row.delivered_at for row in rows), default=None)
    applicant.failures, applicant.try_again_at = 0, None
    session().flush()
