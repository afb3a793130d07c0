"""What opens a client needs a second word: an approval told by a webhook counts when Sumsub's API says the same.

A webhook is signed with a secret that everybody with the right to manage settings at Sumsub can read; the API is asked
by us. It must name the client itself: whose applicant it is, the webhook alone has said. Where there are no
credentials, or `SUMSUB_CONFIRM_APPROVALS` is 0, the webhook alone opens.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import sqlalchemy as sa

from dashboard.clients.models import ClientVerification
from dashboard.clients.vocabulary import KycState
from dashboard.database import session
from dashboard.onboarding.sumsub.folding import Folded
from dashboard.onboarding.sumsub.models import SumsubApplicant, SumsubEvent
from dashboard.onboarding.sumsub.port import connecting
from dashboard.onboarding.sumsub.vocabulary import Source, Verdict

WAITS = "It waits until Sumsub's API says the same as the webhook."

#: asks about an applicant of a client, in the caller's transaction
Ask = Callable[[str, UUID], None]


def _nobody(_applicant_id: str, _client_id: UUID) -> None:
    """Before the application is put together."""


_ask: list[Ask] = [_nobody]


def install(ask: Ask) -> None:
    """Who asks, from the package above. Called by app.py."""
    _ask[0] = ask


def waits_for(applicant_id: str, folded: Folded, client_id: UUID) -> str | None:
    """Why this approval opens nothing yet, in words; None where nothing of that kind stands in its way."""
    if folded.state is not KycState.APPROVED or folded.outcome is None:
        return None
    return None if is_confirmed(applicant_id, folded.outcome.event_id, client_id) else WAITS


def ask(applicant_id: str, client_id: UUID) -> None:
    """Have Sumsub asked."""
    _ask[0](applicant_id, client_id)


def waits(applicant: SumsubApplicant) -> bool:
    """Whether the applicant's approval has no second word yet."""
    if applicant.client_id is None or applicant.state != KycState.APPROVED:
        return False
    now = session().get(ClientVerification, applicant.client_id, populate_existing=True)
    if now is None or now.applicant_id != applicant.applicant_id or now.approved_event_id is None:
        return False
    return not is_confirmed(applicant.applicant_id, now.approved_event_id, applicant.client_id)


def is_confirmed(applicant_id: str, event_id: UUID, client_id: UUID) -> bool:
    """The API said the same of this client's applicant, when the approval came or later; or nobody needs to ask."""
    if not connecting.connection().confirms_approvals:
        return True
    told = session().get(SumsubEvent, event_id)
    # a simulation is our own word, and counts only where nothing is at stake
    if told is None or told.source == Source.SIMULATION:
        return True
    return bool(session().scalar(sa.select(sa.exists(words(applicant_id, told, client_id)))))


def words(applicant_id: str, told: SumsubEvent, client_id: UUID) -> sa.Select[SumsubEvent]:
    """The API's own words that confirm this event: approved, about this client, and not older than the event here."""
    return sa.select(SumsubEvent).where(
        SumsubEvent.applicant_id == applicant_id,
        SumsubEvent.verdict == Verdict.ACCEPTED.value,
        SumsubEvent.source == Source.PULL.value,
        SumsubEvent.review_status == "completed",
        SumsubEvent.answer == "GREEN",
        # as Sumsub named it: of what we know ourselves nothing is written into an answer
        SumsubEvent.external_user_id == str(client_id),
        # the same answer given again is counted on the same row
        SumsubEvent.delivered_at >= told.received_at,
    )
