"""An answer of Sumsub as an event of ours: what it means, when it holds, and the bytes that are kept of it.

The moment of an observation decides its place among the events, so it is Sumsub's and never ours:

- a completed review has the date of its decision, everything else the date on which the applicant handed in. Both are
  told to the second; which end of it counts `folding` decides, the stricter one;
- where that date is not newer than what we know, and the answer says otherwise all the same (on hold, reset), the
  moment is the one at which Sumsub answered, by Sumsub's clock. That is never done for an approval, nor for what takes
  a final rejection back: what opens a client must carry a date of its own. And it is done only when our newest event is
  older than `SETTLED`, because an answer may lag behind the events for a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import simplejson

from dashboard.clients.vocabulary import KycState
from dashboard.onboarding.sumsub.port.answers import Answer, Review
from dashboard.onboarding.sumsub.vocabulary import Type

#: how long Sumsub's answers may lag behind its events
SETTLED = timedelta(minutes=10)
_LAST_MILLISECOND = timedelta(milliseconds=999)

#: review statuses in which the applicant waits for Sumsub
_GOING_ON = frozenset({"pending", "queued", "prechecked", "awaitingUser", "awaitingService"})


@dataclass(frozen=True)
class Observation:
    """`body` is the same for the same answer, so that the same news are stored once."""

    body: bytes
    at: datetime


def state_of(review: Review) -> KycState | None:
    """What the answer means; None where it is nothing that is known. An approval is completed *and* GREEN."""
    if review.status == "completed":
        if review.answer == "GREEN":
            return KycState.APPROVED
        if review.answer == "RED":
            return KycState.REJECTED if review.reject_type == "FINAL" else KycState.RETRY
        return None
    if review.status == "onHold":
        return KycState.ON_HOLD
    if review.status == "init":
        return KycState.NOT_STARTED
    return KycState.PENDING if review.status in _GOING_ON else None


def agree(ours: KycState | None, theirs: KycState | None, *, step: bool = False) -> bool:
    """Whether the two mean the same. After a reset, or before the first document, Sumsub says `init` to both.

    `step`: its level is one of several of a workflow, of which an approval is not the end.
    """
    if ours == theirs or (step and theirs is KycState.APPROVED and ours is KycState.PENDING):
        return True
    return {ours, theirs} <= {None, KycState.NOT_STARTED, KycState.WITHDRAWN} and theirs is not KycState.WITHDRAWN


def own_moment(review: Review) -> datetime | None:
    """The second that the review's own date names."""
    told = review.review_date if review.status == "completed" else review.create_date
    return None if told is None else told.replace(microsecond=0)


def moment_of(answer: Answer, *, newest: datetime | None, ours: KycState | None) -> datetime | None:
    """When the answer holds, see above; None where that cannot be said yet. `newest`: the time of our newest event."""
    own, state = own_moment(answer.review), state_of(answer.review)
    # as `folding` places it: an approval at the beginning of its second, anything else at its end
    counts = own if own is None or state is KycState.APPROVED else own + _LAST_MILLISECOND
    if counts is not None and (newest is None or counts > newest):
        return own
    if state is KycState.APPROVED or (ours is KycState.REJECTED and state is not KycState.REJECTED):
        return own
    if newest is None or answer.asked_at > newest + SETTLED:
        return answer.asked_at.replace(microsecond=0)
    return None


def observe(answer: Answer, *, applicant_id: str, at: datetime, sandbox: bool) -> Observation:
    """Write the answer down in the shape of an event. Only what is named here is kept, and whose applicant it is only
    where Sumsub said so."""
    review = answer.review
    result = {
        "reviewAnswer": review.answer,
        "reviewRejectType": review.reject_type,
        "rejectLabels": list(review.labels) or None,
        "moderationComment": review.moderation_comment,
        "clientComment": review.client_comment,
        "buttonIds": list(review.buttons) or None,
    }
    result = {key: value for key, value in result.items() if value is not None}
    document: dict[str, Any] = {
        "applicantId": applicant_id,
        "inspectionId": answer.inspection_id,
        "applicantType": answer.applicant_type,
        "externalUserId": answer.external_user_id,
        "type": Type.STATUS_PULLED.value,
        "levelName": review.level,
        "reviewStatus": review.status,
        "reviewResult": result or None,
        "attemptCnt": review.attempts,
        "createDate": _written(review.create_date),
        "reviewDate": _written(review.review_date),
        "sandboxMode": sandbox,
        "createdAt": _written(at),
    }
    kept = {key: value for key, value in document.items() if value is not None}
    return Observation(simplejson.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode(), at)


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S+0000")
