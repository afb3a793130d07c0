"""What an answer does: it becomes an event like any other, is applied in the order of all events, and whatever differs
then is written down.

Nothing here changes a client or an applicant's state; `sumsub.services.processing` does, as for every event.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.clients.models import ClientVerification
from dashboard.clients.vocabulary import KycState
from dashboard.database import session
from dashboard.onboarding.pulling.models import SumsubQuestion
from dashboard.onboarding.pulling.observations import SETTLED, agree, moment_of, observe, own_moment, state_of
from dashboard.onboarding.pulling.services import differences, questions
from dashboard.onboarding.pulling.services.differences import Pair
from dashboard.onboarding.pulling.vocabulary import QUEUE, UNCONFIRMED, Field, Outcome, Reason
from dashboard.onboarding.sumsub import confirming, reader
from dashboard.onboarding.sumsub.models import SumsubApplicant, SumsubEvent
from dashboard.onboarding.sumsub.port import connecting
from dashboard.onboarding.sumsub.port.answers import Answer
from dashboard.onboarding.sumsub.port.failures import NotKnown
from dashboard.onboarding.sumsub.rules import rules
from dashboard.onboarding.sumsub.services import processing, storing
from dashboard.onboarding.sumsub.vocabulary import EventEffect, Source
from dashboard.queues import services as queues

_REJECTIONS = frozenset({KycState.RETRY, KycState.REJECTED})
_COMPARED = frozenset({Field.APPLICANT, Field.STATE, Field.LEVEL, Field.LABELS})


@dataclass(frozen=True)
class Taken:
    """`outcome` None: it differs, but an answer may lag that far behind; ask again later. `standing` and `resolved`
    count differences of the applicant. `whose`: it is not applied before Sumsub says whose applicant it is, which is to
    be asked now."""

    outcome: Outcome | None
    standing: int = 0
    resolved: int = 0
    event_id: UUID | None = None
    whose: bool = False


def look(
    row_id: UUID, answer: Answer | NotKnown, *, comparison_id: UUID | None = None, by: Actor
) -> Taken:  # fmt: skip
    """Take an answer about an applicant that is known here, in the caller's transaction."""
    applicant = session().get(
        SumsubApplicant, row_id, with_for_update={"key_share": True}, populate_existing=True
    )  # fmt: skip
    assert applicant is not None  # applicants are never deleted
    applicant.asked_at = clock.now()
    session().flush()
    if isinstance(answer, NotKnown):
        return _not_known(applicant, comparison_id=comparison_id, by=by)
    before = _differing(applicant, answer)
    event_id, lags = None, False
    news = Field.STATE in before or _confirms(applicant, answer)
    whose = _whose(applicant, answer, before)
    if Field.CLIENT not in before and not whose and news:
        event_id, lags = _apply(applicant, answer, before, by=by)
        if event_id and applicant.client_id is not None and not confirming.waits(applicant):
            queues.close_items(QUEUE, object_id=applicant.client_id, cause=UNCONFIRMED, by=by)
    after = _differing(applicant, answer) if event_id else before
    looked = _COMPARED | ({Field.CLIENT} if _names(answer) else frozenset())
    if whose:
        questions.ask_about(
            Reason.CONFIRM, applicant_id=applicant.applicant_id, client_id=applicant.client_id, by=by
        )  # fmt: skip
    if lags or whose:
        # what it shows may be the state of a moment ago: nothing is said about it yet
        looked -= {Field.STATE, Field.LABELS}
        after = {field: pair for field, pair in after.items() if field in looked}
    settled = differences.settle(
        applicant.applicant_id,
        after,
        looked=looked,
        client_id=applicant.client_id,
        comparison_id=comparison_id,
        by=by,
        caught_up={field: pair for field, pair in before.items() if field not in after} if event_id else None,
    )
    outcome: Outcome | None = Outcome.SAME
    if lags or whose:
        outcome = None
    elif after:
        outcome = Outcome.DIFFERS
    elif before:
        outcome = Outcome.APPLIED
    return Taken(outcome, settled.standing, settled.resolved, event_id, whose)


def _not_known(applicant: SumsubApplicant, *, comparison_id: UUID | None, by: Actor) -> Taken:
    """Sumsub does not know it. Where it told us that it is gone, the two agree; nothing of ours is ever deleted."""
    gone = applicant.state == KycState.WITHDRAWN
    settled = differences.settle(
        applicant.applicant_id,
        {} if gone else {Field.APPLICANT: Pair("known", "notKnown")},
        looked=frozenset({Field.APPLICANT}),
        client_id=applicant.client_id,
        comparison_id=comparison_id,
        by=by,
    )
    return Taken(Outcome.SAME if gone else Outcome.NOT_KNOWN, settled.standing, settled.resolved)


def _names(answer: Answer) -> bool:
    """Whether it is an answer that says whose applicant it is; `…/status` never does."""
    return answer.applicant_id is not None


def _whose(applicant: SumsubApplicant, answer: Answer, before: dict[Field, Pair]) -> bool:
    """Whether it counts only once Sumsub has said whose applicant it is: that was in doubt before, or it would approve.
    The webhook that bound the applicant to the client may be forged."""
    if _names(answer):
        return False
    if differences.stands(applicant.applicant_id, Field.CLIENT):
        return True
    if state_of(answer.review) is not KycState.APPROVED:
        return False
    if Field.STATE not in before:
        return confirming.waits(applicant)
    at, newest = own_moment(answer.review), _newest(applicant)
    return at is not None and (newest is None or at > newest)


def _is_of(applicant: SumsubApplicant, answer: Answer) -> bool:
    bound = str(applicant.client_id) if applicant.client_id else applicant.external_user_id
    return reader.client_name(answer.external_user_id) == bound


def _ours(applicant: SumsubApplicant) -> KycState | None:
    return KycState(applicant.state) if applicant.state else None


def _differing(applicant: SumsubApplicant, answer: Answer) -> dict[Field, Pair]:
    """The fields in which the two differ, as both say them."""
    review, ours = answer.review, _ours(applicant)
    theirs = state_of(review)
    found: dict[Field, Pair] = {}
    step = review.level in rules().workflow_levels
    if theirs is not None and not agree(ours, theirs, step=step):
        found[Field.STATE] = Pair(ours.value if ours else None, theirs.value)
    if review.level and applicant.level and review.level != applicant.level:
        found[Field.LEVEL] = Pair(applicant.level, review.level)
    if _names(answer) and not _is_of(applicant, answer):
        found[Field.CLIENT] = Pair(applicant.external_user_id, answer.external_user_id)
    if Field.STATE not in found and theirs in _REJECTIONS:
        here = _labels(applicant)
        if here is not None and set(here) != set(review.labels):
            found[Field.LABELS] = Pair(_written(here), _written(review.labels))
    return found


def _labels(applicant: SumsubApplicant) -> list[str] | None:
    """The labels that we have of this applicant; None where another one counts for the client."""
    if applicant.client_id is None:
        return None
    return session().scalar(
        sa.select(ClientVerification.labels).where(
            ClientVerification.client_id == applicant.client_id,
            ClientVerification.applicant_id == applicant.applicant_id,
        )
    )


def _written(labels: list[str] | tuple[str, ...]) -> str | None:
    return " ".join(sorted(labels)) or None


def _confirms(applicant: SumsubApplicant, answer: Answer) -> bool:
    """Whether it says what an approval waits for."""
    return state_of(answer.review) is KycState.APPROVED and confirming.waits(applicant)


def _newest(applicant: SumsubApplicant) -> datetime | None:
    """When the newest event that tells its state stands in the order of all."""
    return session().scalar(
        sa.select(sa.func.max(SumsubEvent.ordered_at)).where(
            SumsubEvent.applicant_id == applicant.applicant_id,
            SumsubEvent.effect.in_([EventEffect.APPLIED.value, EventEffect.OUT_OF_DATE.value]),
        )
    )


def _apply(
    applicant: SumsubApplicant, answer: Answer, before: dict[Field, Pair], *, by: Actor
) -> tuple[UUID | None, bool]:
    """Keep the answer as an event and have the applicant's events processed; whether it is too early for that."""
    review = answer.review
    if Field.STATE in before:
        ours, theirs = _ours(applicant), state_of(review)
        at = moment_of(answer, newest=_newest(applicant), ours=ours)
        if at is None:
            # what must carry a date of its own and has none changes nothing and stays a difference
            return None, theirs is not KycState.APPROVED and ours is not KycState.REJECTED
    else:
        at = own_moment(review) or review.create_date
        if at is None:
            return None, False
    seen = observe(
        answer,
        applicant_id=applicant.applicant_id,
        at=at,
        sandbox=connecting.connection().sandbox,
    )
    stored = storing.accept(seen.body, source=Source.PULL)
    processing.process(applicant.applicant_id, by=by, wait=True)
    session().refresh(applicant)
    return stored.event_id, False


# questions


def question_answered(question: SumsubQuestion, answer: Answer, *, by: Actor) -> Outcome | None:
    """End the question by its answer; None: it is asked again, because answers may lag."""
    applicant_id = question.applicant_id or answer.applicant_id
    assert applicant_id is not None  # who asks without one gets one
    row_id = _row(applicant_id)
    if row_id is None:
        return _found(question, answer, applicant_id, by=by)
    taken = look(row_id, answer, by=by)
    if taken.whose:
        # the same question, and now the one that says whose applicant it is
        session().refresh(question)
        return None
    if taken.outcome is None:
        questions.again(question, "lagging", after=SETTLED, counts=False)
        return None
    questions.end(question, taken.outcome, event_id=taken.event_id)
    return taken.outcome


def question_not_known(question: SumsubQuestion, *, by: Actor) -> Outcome:
    """End the question: Sumsub has no such applicant."""
    outcome = Outcome.NOT_KNOWN
    row_id = _row(question.applicant_id) if question.applicant_id else None
    if row_id is not None:
        taken = look(row_id, NotKnown("Sumsub has no such applicant."), by=by)
        outcome = taken.outcome or outcome
    questions.end(question, outcome)
    return outcome


def _row(applicant_id: str) -> UUID | None:
    return session().scalar(sa.select(SumsubApplicant.id).where(SumsubApplicant.applicant_id == applicant_id))


def _found(question: SumsubQuestion, answer: Answer, applicant_id: str, *, by: Actor) -> Outcome:
    """An applicant of whom we were never told: every event about it was lost."""
    at = moment_of(answer, newest=None, ours=None)
    if at is None or state_of(answer.review) is None:
        questions.end(question, Outcome.DIFFERS)
        return Outcome.DIFFERS
    seen = observe(
        answer,
        applicant_id=applicant_id,
        at=at,
        sandbox=connecting.connection().sandbox,
    )
    stored = storing.accept(seen.body, source=Source.PULL)
    processing.process(applicant_id, by=by, wait=True)
    questions.end(question, Outcome.APPLIED, event_id=stored.event_id)
    return Outcome.APPLIED
