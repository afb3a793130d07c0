"""What differs between us and Sumsub: found once, standing until both agree, or a person lets it stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.clock import calendar
from dashboard.database import new_id, session
from dashboard.errors import Conflict, Invalid, NotFound
from dashboard.onboarding.pulling.models import VerificationDifference
from dashboard.onboarding.pulling.vocabulary import CAUSE, OBJECT, QUEUE, Closing, DifferenceState, Field
from dashboard.queues import services as queues

#: business days until somebody must have looked
DUE_DAYS = 1
LONGEST_REASON = 2_000


@dataclass(frozen=True)
class Pair:
    """What we have and what they say; None: nothing."""

    ours: str | None
    theirs: str | None


@dataclass(frozen=True)
class Settled:
    """How many of an applicant's differences stand after a look, and how many ended by it."""

    standing: int
    resolved: int


def _standing(applicant_id: str) -> dict[str, VerificationDifference]:
    found = session().scalars(
        sa.select(VerificationDifference)
        .where(
            VerificationDifference.applicant_id == applicant_id,
            VerificationDifference.state != DifferenceState.RESOLVED.value,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {difference.field: difference for difference in found}


def stands(applicant_id: str, field: Field) -> bool:
    """Whether it differs still, as far as anybody looked: open, or let stand by a person."""
    found = sa.exists().where(
        VerificationDifference.applicant_id == applicant_id,
        VerificationDifference.field == field.value,
        VerificationDifference.state != DifferenceState.RESOLVED.value,
    )
    return bool(session().scalar(sa.select(found)))


def settle(
    applicant_id: str,
    found: Mapping[Field, Pair],
    *,
    looked: frozenset[Field],
    client_id: UUID | None,
    comparison_id: UUID | None,
    by: Actor,
    caught_up: Mapping[Field, Pair] | None = None,
) -> Settled:
    """Write down what differs now. `looked`: the fields that were compared; what was not looked at stays as it is.

    `caught_up`: what differed before the answer was applied, and no longer does: kept as resolved, because an event
    was lost. The caller holds the applicant's lock.
    """
    now, resolved = clock.now(), 0
    standing = _standing(applicant_id)
    for field in sorted(looked):
        pair, old = found.get(field), standing.get(field)
        if old is not None and pair is not None and (old.ours, old.theirs) == (pair.ours, pair.theirs):
            old.seen_at = now
            old.client_id = old.client_id or client_id
            continue
        lost = (caught_up or {}).get(field)
        if old is not None:
            _close(old, Closing.CHANGED if pair else Closing.APPLIED if lost else Closing.AGREES, by=by)
            resolved += 1
        if pair is not None:
            _open(applicant_id, field, pair, client_id=client_id, comparison_id=comparison_id, at=now, by=by)
        elif lost is not None and (old is None or (old.ours, old.theirs) != (lost.ours, lost.theirs)):
            fresh = _open(applicant_id, field, lost, client_id=client_id, comparison_id=comparison_id, at=now, by=by)
            _close(fresh, Closing.APPLIED, by=by)
    session().flush()
    return Settled(sum(1 for field in found if field in looked), resolved)


def _open(
    applicant_id: str,
    field: Field,
    pair: Pair,
    *,
    client_id: UUID | None,
    comparison_id: UUID | None,
    at: datetime,
    by: Actor,
) -> VerificationDifference:
    difference = VerificationDifference(
        id=new_id(),
        applicant_id=applicant_id,
        client_id=client_id,
        field=field.value,
        ours=pair.ours,
        theirs=pair.theirs,
        found_at=at,
        seen_at=at,
        comparison_id=comparison_id,
        state=DifferenceState.OPEN.value,
    )
    session().add(difference)
    session().flush()
    queues.open_item(
        QUEUE,
        cause=CAUSE,
        object_type=OBJECT,
        object_id=difference.id,
        client_id=client_id,
        due_at=calendar().due_after(at, DUE_DAYS),
        # a rejection may stand on one side of it, and that comes near to a reason
        restricted=True,
    )
    audit.record(
        "verification.difference_found",
        by=by,
        object_type=OBJECT,
        object_id=difference.id,
        client_id=client_id,
        after={"field": field.value},
        # labels say why, and states of a rejection come near to it
        restricted={"ours": pair.ours, "theirs": pair.theirs},
    )
    return difference


def _close(difference: VerificationDifference, closing: Closing, *, by: Actor) -> None:
    difference.state, difference.closing = DifferenceState.RESOLVED.value, closing.value
    difference.closed_at = clock.now()
    session().flush()
    queues.close_items(QUEUE, object_id=difference.id, by=by)
    audit.record(
        "verification.difference_resolved",
        by=by,
        object_type=OBJECT,
        object_id=difference.id,
        client_id=difference.client_id,
        after={"field": difference.field, "how": closing.value},
    )


def accept(difference_id: UUID, *, reason: str, by: Actor) -> VerificationDifference:
    """A person has looked and lets it stand; it counts as settled while it stays the same difference.

    Raises NotFound, Conflict `notOpen`, Invalid (no reason), Forbidden.
    """
    by.require(Permission.CLIENTS_REVIEW)
    if by.staff_id is None:
        raise Invalid.one("by", "A member of the staff decides this.", "staff")
    words = reason.strip()
    if not words:
        raise Invalid.one("reason", "Say why it may stay so.", "required")
    if len(words) > LONGEST_REASON:
        raise Invalid.one("reason", f"Use at most {LONGEST_REASON:,} characters.", "tooLong")
    difference = session().get(VerificationDifference, difference_id, with_for_update=True, populate_existing=True)
    if difference is None:
        raise NotFound("There is no such difference.", code="differenceNotFound")
    if difference.state != DifferenceState.OPEN:
        raise Conflict("This difference is not open any more.", code="notOpen", details={"state": difference.state})
    difference.state, difference.reason = DifferenceState.ACCEPTED.value, words
    difference.accepted_at, difference.accepted_by = clock.now(), by.staff_id
    session().flush()
    queues.close_items(QUEUE, object_id=difference.id, by=by)
    audit.record(
        "verification.difference_accepted",
        by=by,
        object_type=OBJECT,
        object_id=difference.id,
        client_id=difference.client_id,
        after={"field": difference.field},
        restricted={"reason": words},
    )
    return difference
