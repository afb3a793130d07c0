"""The state of an applicant as a function of the set of its events.

Events are put into an order that depends on nothing but what they say: Sumsub's time, then a rank, then the digest of
the content. So every order of arrival, and every repetition, ends in the same state.

In doubt the stricter reading wins: a time that is known to the second only lies at the beginning of its second for what
opens access and at its end for what closes it; of two events of the same millisecond the stricter is the later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from dashboard.clients.services.verification import Outcome
from dashboard.clients.vocabulary import KYC_OUTCOMES, KycState
from dashboard.onboarding.sumsub.reader import Message
from dashboard.onboarding.sumsub.vocabulary import Type

#: within one millisecond: as they follow in life, and what closes access after what opens it
_RANKS = {
    Type.CREATED: 10,
    Type.ACTIVATED: 15,
    Type.PERSONAL_INFO_CHANGED: 20,
    Type.TAGS_CHANGED: 20,
    Type.PENDING: 30,
    Type.PRECHECKED: 31,
    Type.AWAITING_SERVICE: 32,
    Type.AWAITING_USER: 33,
    Type.ON_HOLD: 35,
    Type.LEVEL_CHANGED: 80,
    Type.RESET: 81,
    Type.DEACTIVATED: 90,
    Type.PERSONAL_DATA_DELETED: 94,
    Type.DELETED: 95,
}
_GREEN, _OTHER, _RETRY, _FINAL, _UNKNOWN = 50, 55, 60, 70, 5
_WORKFLOW = 2
_ALMOST_A_SECOND = timedelta(milliseconds=999)
#: how far Sumsub's clock may be ahead of ours
SKEW = timedelta(minutes=5)


class Place(NamedTuple):
    """Where an event stands among those of its applicant."""

    at: datetime
    rank: int
    meaning: str


def place_of(message: Message, received_at: datetime) -> Place:
    """`received_at` stands in where the message names no time. Nothing lies further ahead than clocks may differ: what
    says so would stand in the way of everything that truly happens."""
    at = min(message.told_at or received_at, received_at + SKEW)
    if message.told_at is not None and message.whole_seconds and not message.approves:
        at += _ALMOST_A_SECOND
    return Place(at, _rank(message), message.meaning)


def _rank(message: Message) -> int:
    known = {one.value: one for one in Type}.get(message.type or "")
    if known is None:
        return _UNKNOWN
    if known in _RANKS:
        return _RANKS[known]
    if message.approves:
        rank = _GREEN
    elif message.completed and message.review.answer == "RED":
        rank = _FINAL if message.review.reject_type == "FINAL" else _RETRY
    else:
        rank = _OTHER if known is Type.STATUS_PULLED else _GREEN - 5
    return rank + (_WORKFLOW if known in {Type.WORKFLOW_COMPLETED, Type.WORKFLOW_FAILED} else 0)


@dataclass(frozen=True)
class Event:
    """One event in its place. `told_at` is what people read; `place` is what orders."""

    id: UUID
    place: Place
    told_at: datetime
    message: Message


@dataclass(frozen=True)
class Folded:
    """What all events together say.

    `event`: the one that led to `state`. `outcome`: the answer behind it. `outcomes`: every answer, oldest first,
    with the event that gave it. `final_before`: RED FINAL stands behind the approval, with no new start between.
    `known`: whether any event told a state at all.
    """

    state: KycState = KycState.NOT_STARTED
    event: Event | None = None
    outcome: Outcome | None = None
    outcomes: tuple[Outcome, ...] = ()
    level: str | None = None
    review_status: str | None = None
    answer: str | None = None
    reject_type: str | None = None
    labels: tuple[str, ...] = ()
    moderation_comment: str | None = None
    client_comment: str | None = None
    attempts: int = 0
    data_changed_at: datetime | None = None
    final_before: bool = False
    #: while deactivated: what would stand otherwise, which goes on underneath
    underneath: Folded | None = None
    first: Event | None = None

    @property
    def known(self) -> bool:
        return self.event is not None


def in_order(events: Iterable[Event]) -> list[Event]:
    """Oldest first, each meaning once."""
    found: list[Event] = []
    seen: set[str] = set()
    for event in sorted(events, key=lambda one: (one.place, one.id)):
        if event.place.meaning not in seen:
            seen.add(event.place.meaning)
            found.append(event)
    return found


def fold(events: Iterable[Event], *, workflow_levels: frozenset[str] = frozenset()) -> Folded:
    """`workflow_levels`: names of levels that are steps of a longer workflow; passing one of them is not the end."""
    folded = Folded()
    for event in in_order(events):
        folded = _step(folded, event, workflow_levels)
    return folded


def _turn(folded: Folded, event: Event, state: KycState) -> Folded:
    """The state as this event tells it. An answer with consequences is also one of the outcomes."""
    message = event.message
    outcome = None
    if state in KYC_OUTCOMES:
        outcome = Outcome(event.id, state, event.told_at, message.level or folded.level)
    return replace(
        folded,
        state=state,
        event=event,
        outcome=outcome,
        outcomes=(*folded.outcomes, outcome) if outcome else folded.outcomes,
        level=message.level or folded.level,
        review_status=message.review_status or folded.review_status,
        first=folded.first or event,
    )


def _fresh(folded: Folded, event: Event, state: KycState) -> Folded:
    """A new start: what was answered before is history."""
    turned = _turn(folded, event, state)
    return replace(
        turned, answer=None, reject_type=None, labels=(), moderation_comment=None, client_comment=None,
        final_before=False,
    )  # fmt: skip


def _step(folded: Folded, event: Event, workflow_levels: frozenset[str]) -> Folded:
    kind = event.message.type
    if kind == Type.ACTIVATED:
        return _activated(folded, event)
    if folded.underneath is not None:
        return _beneath(folded, folded.underneath, event, workflow_levels)
    if kind == Type.CREATED:
        return _fresh(folded, event, KycState.NOT_STARTED)
    if kind == Type.LEVEL_CHANGED:
        return _fresh(folded, event, _open_state(event.message, KycState.NOT_STARTED))
    if kind in {Type.PENDING, Type.PRECHECKED, Type.AWAITING_SERVICE, Type.AWAITING_USER}:
        return _turn(folded, event, KycState.PENDING)
    if kind == Type.ON_HOLD:
        return _turn(folded, event, KycState.ON_HOLD)
    if kind in {Type.REVIEWED, Type.WORKFLOW_COMPLETED, Type.WORKFLOW_FAILED, Type.STATUS_PULLED}:
        return _reviewed(folded, event, workflow_levels)
    if kind in {Type.RESET, Type.DELETED, Type.PERSONAL_DATA_DELETED}:
        return _fresh(folded, event, KycState.WITHDRAWN)
    if kind == Type.DEACTIVATED:
        return replace(_turn(folded, event, KycState.WITHDRAWN), underneath=folded)
    if kind == Type.PERSONAL_INFO_CHANGED:
        return replace(folded, data_changed_at=event.told_at)
    return folded


def _open_state(message: Message, otherwise: KycState) -> KycState:
    """The state of a review that is not completed; it is never an approval, whatever answer stands beside it."""
    status = message.review_status
    if status == "onHold":
        return KycState.ON_HOLD
    if status == "init":
        return KycState.NOT_STARTED
    if status in {"pending", "queued", "prechecked", "awaitingUser", "awaitingService"}:
        return KycState.PENDING
    return otherwise


def _reviewed(folded: Folded, event: Event, workflow_levels: frozenset[str]) -> Folded:
    message, review = event.message, event.message.review
    asked = message.type == Type.STATUS_PULLED
    if not message.completed or review.answer not in {"GREEN", "RED"}:
        state = _open_state(message, KycState.PENDING)
        if asked and state is KycState.NOT_STARTED and folded.state not in {KycState.NOT_STARTED, KycState.WITHDRAWN}:
            # back at its beginning: it was reset, and nobody told us
            return _fresh(folded, event, KycState.WITHDRAWN)
        return _turn(folded, event, state)
    step_of_more = message.type in {Type.REVIEWED, Type.STATUS_PULLED} and (
        (message.level or folded.level) in workflow_levels
    )
    if review.answer == "RED":
        # FINAL only where it says so: anything else asks again
        state = KycState.REJECTED if review.reject_type == "FINAL" else KycState.RETRY
    else:
        # a step told after the end of the workflow (they are milliseconds apart) takes nothing back
        state = KycState.PENDING if step_of_more and folded.state is not KycState.APPROVED else KycState.APPROVED
    if folded.state is state and folded.known and (asked or step_of_more):
        # nothing new: what stands rests on what told it first
        counted = message.type == Type.REVIEWED
        return replace(folded, review_status=message.review_status, attempts=folded.attempts + counted)
    return replace(
        _turn(folded, event, state),
        answer=review.answer,
        reject_type=review.reject_type,
        labels=review.labels,
        moderation_comment=review.moderation_comment,
        client_comment=review.client_comment,
        attempts=folded.attempts + (message.type == Type.REVIEWED),
        final_before=folded.final_before or state is KycState.REJECTED,
    )


def _beneath(folded: Folded, underneath: Folded, event: Event, workflow_levels: frozenset[str]) -> Folded:
    """While deactivated it stays withdrawn, whatever else is told; what is told counts once it is activated again."""
    if event.message.type == Type.DEACTIVATED:
        return folded
    after = _step(underneath, event, workflow_levels)
    return replace(
        folded,
        underneath=after,
        outcomes=(*folded.outcomes, *after.outcomes[len(underneath.outcomes) :]),
        data_changed_at=after.data_changed_at,
    )


def _activated(folded: Folded, event: Event) -> Folded:
    """Open again: as it is underneath, which for an approval means the review that approved it."""
    if folded.underneath is None:
        return folded
    return replace(folded.underneath, event=event, outcomes=folded.outcomes, first=folded.first)


def newest_applicant(folded: Sequence[tuple[str, Folded]]) -> int | None:
    """Which of a client's applicants counts: the one that began last; None where none tells a state."""
    found = [
        (one.first.place.at, applicant_id, number)
        for number, (applicant_id, one) in enumerate(folded)
        if one.known and one.first is not None
    ]
    return max(found)[2] if found else None
