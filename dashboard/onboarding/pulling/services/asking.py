"""Asking Sumsub now, and seeing to it that what is due is asked."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.background import services as background
from dashboard.clients.vocabulary import KycState
from dashboard.database import session
from dashboard.errors import Refused
from dashboard.onboarding.pulling.services import questions, silence
from dashboard.onboarding.pulling.vocabulary import ASK, Outcome, Reason
from dashboard.onboarding.sumsub.models import SumsubApplicant
from dashboard.onboarding.sumsub.port import connecting
from dashboard.onboarding.sumsub.services import processing

#: approvals that one run of the clock releases
MOST_AT_ONCE = 100


def ask_now(client_id: UUID, *, by: Actor) -> None:
    """Ask about every applicant of a client, or look for one where none is known; the answer comes in the background.

    Raises Refused `sumsubNotConnected`, Forbidden.
    """
    by.require(Permission.CLIENTS_REVIEW)
    if not connecting.connection().is_on:
        raise Refused(connecting.OFF, code="sumsubNotConnected")
    known = session().scalars(sa.select(SumsubApplicant.applicant_id).where(SumsubApplicant.client_id == client_id))
    applicants: list[str | None] = [*known.all()]
    for applicant_id in applicants or [None]:
        questions.ask_about(Reason.STAFF, applicant_id=applicant_id, client_id=client_id, by=by)
    audit.record(
        "verification.asked", by=by, object_type="client", object_id=client_id, client_id=client_id
    )  # fmt: skip
    background.ask(ASK, {}, by=by, single=True)


def confirm(applicant_id: str, client_id: UUID) -> None:
    """Have an approval of a webhook confirmed, at once and in the background."""
    by = system("Sumsub")
    questions.ask_about(Reason.CONFIRM, applicant_id=applicant_id, client_id=client_id, by=by)
    background.ask(ASK, {}, by=by, single=True)


def ask_due(*, by: Actor) -> dict[str, int]:
    """What the clock does: look for silent applicants, and have asked what is due. Gives figures for the log."""
    connection = connecting.connection()
    released = 0 if connection.confirms_approvals else _release(by=by)
    if not connection.is_on:
        return {"connected": 0, "released": released}
    silent = silence.ask_about_silent(after=connection.silent, by=by)
    due = questions.any_due()
    if due:
        background.ask(ASK, {}, by=by, single=True)
    return {"connected": 1, "silent": silent, "due": int(due), "released": released}


def _release(*, by: Actor) -> int:
    """Approvals that waited for a second word count by themselves once nobody asks for one any more."""
    found = [each for each in questions.waiting_to_confirm(limit=MOST_AT_ONCE) if _is_told(each.applicant_id)]
    for question in found:
        assert question.applicant_id is not None  # a confirmation is of an applicant that told something
        questions.end(question, Outcome.GIVEN_UP)
        processing.process(question.applicant_id, by=by, wait=True)
    return len(found)


def _is_told(applicant_id: str | None) -> bool:
    """Whether what is to be confirmed was told to us; an approval of which only Sumsub knows must still be asked for
    while it can be."""
    if not connecting.connection().is_on:
        return True
    state = sa.select(SumsubApplicant.state).where(SumsubApplicant.applicant_id == applicant_id)
    return session().scalar(state) == KycState.APPROVED.value
