"""What a person must look at. Each doubt is raised once for its event; those about a state go when the state goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.clients.calendar import calendar
from dashboard.clients.models import Client
from dashboard.clients.services.activate import activation_obstacle
from dashboard.clients.vocabulary import KycEffect, KycState, Status
from dashboard.database import session
from dashboard.errors import Conflict, Invalid, NotFound
from dashboard.onboarding.sumsub.folding import SKEW, Folded
from dashboard.onboarding.sumsub.models import SumsubApplicant, SumsubEvent
from dashboard.onboarding.sumsub.vocabulary import QUEUE, DoubtCause, EventEffect, Type
from dashboard.queues import services as queues
from dashboard.queues.models import QueueItem

EVENT, APPLICANT = "sumsub_event", "sumsub_applicant"
#: business days until somebody should have looked
DUE = {
    DoubtCause.FINAL_ON_ACTIVE: 1, DoubtCause.FINAL_LATE: 1, DoubtCause.GREEN_AFTER_FINAL: 1,
    DoubtCause.CONTRADICTION: 1,
}  # fmt: skip
DUE_OTHERWISE = 2
#: its existence tells nothing of why a client is blocked
OPEN_TO_ALL = frozenset(
    {DoubtCause.UNKNOWN_CLIENT, DoubtCause.SANDBOX, DoubtCause.UNREADABLE, DoubtCause.FAILED}
)  # fmt: skip
#: these go by themselves when the state they are about is over
_OF_STATE = (DoubtCause.WITHDRAWN_ON_ACTIVE, DoubtCause.HELD_BACK)
LONGEST_REASON = 2000


def _items(cause: DoubtCause, object_id: UUID) -> list[QueueItem]:
    return list(
        session().scalars(
            sa.select(QueueItem).where(
                QueueItem.queue == QUEUE, QueueItem.object_id == object_id, QueueItem.cause == cause.value
            )
        )
    )


def _raise(
    cause: DoubtCause, object_type: str, object_id: UUID, client_id: UUID | None, *, again: bool = False
) -> None:
    """`again`: also where a person or the passing of the state has closed it before."""
    if not again and _items(cause, object_id):
        return
    queues.open_item(
        QUEUE, cause=cause.value, object_type=object_type, object_id=object_id, client_id=client_id,
        due_at=calendar().due_after(clock.now(), DUE.get(cause, DUE_OTHERWISE)), restricted=cause not in OPEN_TO_ALL,
    )  # fmt: skip


def of_client(
    client: Client, folded: Folded, effect: KycEffect | None, *, by: Actor, unconfirmed: bool = False
) -> None:
    """Doubts that a client's state gives rise to now. `unconfirmed`: the approval waits for a second word of Sumsub,
    which is asked for by itself; who asks tells a person when that does not help."""
    active = (client.status_before_block or client.status) == Status.ACTIVE
    assert folded.event is not None
    standing: dict[DoubtCause, UUID] = {}
    outcome = folded.outcome
    if active and (
        folded.state in {KycState.WITHDRAWN, KycState.RETRY}
        or (folded.state is KycState.NOT_STARTED and folded.event.message.type == Type.LEVEL_CHANGED)
    ):
        standing[DoubtCause.WITHDRAWN_ON_ACTIVE] = folded.event.id
    if outcome is not None and folded.state is KycState.APPROVED:
        waits_only = unconfirmed and activation_obstacle(client) is None
        if Status.INACTIVE in {client.status, client.status_before_block} and not waits_only:
            standing[DoubtCause.HELD_BACK] = outcome.event_id
        if folded.final_before:
            _raise(DoubtCause.GREEN_AFTER_FINAL, EVENT, outcome.event_id, client.id)
    if outcome is not None and folded.state is KycState.REJECTED and active:
        _raise(DoubtCause.FINAL_ON_ACTIVE, EVENT, outcome.event_id, client.id)
    for cause in _OF_STATE:
        stays = standing.get(cause)
        for item in _open_of(client.id, cause):
            if item.object_id != stays:
                queues.close_items(QUEUE, object_id=item.object_id, cause=cause.value, by=by)
        if stays is not None:
            _raise(cause, EVENT, stays, client.id)


def final_late(client: Client, event_ids: Sequence[UUID]) -> None:
    """RED FINAL that came after something newer: what is newer may be forged, and the client goes on."""
    if (client.status_before_block or client.status) == Status.ACTIVE:
        for event_id in event_ids:
            _raise(DoubtCause.FINAL_LATE, EVENT, event_id, client.id)


def _open_of(client_id: UUID, cause: DoubtCause) -> list[QueueItem]:
    return list(
        session().scalars(
            sa.select(QueueItem).where(
                QueueItem.client_id == client_id, QueueItem.queue == QUEUE, QueueItem.cause == cause.value,
                QueueItem.closed_at.is_(None),
            )
        )
    )  # fmt: skip


def of_events(
    fresh: Sequence[SumsubEvent],
    rows: Sequence[SumsubEvent],
    effects: Mapping[UUID, EventEffect],
    *,
    strangers: frozenset[UUID],
    client_id: UUID | None,
) -> None:
    """Doubts about single events: from a sandbox in production, contradicting another one, or naming another client
    than the applicant's (`strangers`)."""
    known: dict[tuple[object, ...], UUID] = {}
    for row in rows:
        if row.correlation_id and row.told_at:
            known.setdefault((row.type, row.correlation_id, row.told_at), row.id)
    for row in fresh:
        effect = effects.get(row.id)
        if effect is EventEffect.SANDBOX:
            _raise(DoubtCause.SANDBOX, EVENT, row.id, client_id)
            continue
        if row.told_at and row.told_at > row.received_at + SKEW:
            _raise(DoubtCause.AHEAD, EVENT, row.id, client_id)
        if row.id in strangers:
            _raise(DoubtCause.CONTRADICTION, EVENT, row.id, client_id)
        elif effect is not EventEffect.DUPLICATE and row.correlation_id and row.told_at:
            first = known[row.type, row.correlation_id, row.told_at]
            if first != row.id:
                _raise(DoubtCause.CONTRADICTION, EVENT, row.id, client_id)


def client_unknown(applicant: SumsubApplicant) -> None:
    _raise(DoubtCause.UNKNOWN_CLIENT, APPLICANT, applicant.id, None)


def client_found(applicant: SumsubApplicant, *, by: Actor) -> None:
    queues.close_items(QUEUE, object_id=applicant.id, by=by)


def processing_failed(applicant: SumsubApplicant) -> None:
    _raise(DoubtCause.FAILED, APPLICANT, applicant.id, applicant.client_id, again=True)


def settle(item_id: UUID, *, reason: str, by: Actor) -> QueueItem:
    """A person looked. Raises NotFound, Conflict (settled meanwhile), Invalid (no reason)."""
    item = session().get(QueueItem, item_id, with_for_update=True, populate_existing=True)
    if item is None or item.queue != QUEUE or (item.restricted and not by.sees_restricted):
        raise NotFound("There is no such doubt.")
    if item.closed_at is not None:
        raise Conflict("This has been settled meanwhile.", code="settled")
    text = reason.strip()
    if not text:
        raise Invalid.one("reason", "Say what you found.", "required")
    if len(text) > LONGEST_REASON:
        raise Invalid.one("reason", f"Use at most {LONGEST_REASON} characters.", "tooLong")
    item.closed_at, item.closed_by = clock.now(), by.staff_id
    session().flush()
    audit.record(
        "verification.doubt_settled", by=by, object_type=item.object_type, object_id=item.object_id,
        client_id=item.client_id, restricted={"reason": text, "cause": item.cause},
    )  # fmt: skip
    return item
