"""The verification tab of a client: what Sumsub says of it, loaded by address into the client's page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, flash, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import queries as clients
from dashboard.clients.models import Client
from dashboard.clients.services import verification_of
from dashboard.clients.vocabulary import KYC_LABELS, KycEffect, KycState
from dashboard.database import transaction
from dashboard.errors import NotFound, Refused
from dashboard.onboarding.pulling import queries
from dashboard.onboarding.pulling.pages.blueprint import pulling
from dashboard.onboarding.pulling.pages.differences import shown
from dashboard.onboarding.pulling.queries import DifferenceView, HistoryRow
from dashboard.onboarding.pulling.services import asking
from dashboard.onboarding.pulling.vocabulary import OUTCOME_LABELS, REASON_LABELS, Outcome, Reason
from dashboard.onboarding.sumsub import badges, labels, links
from dashboard.onboarding.sumsub.port import connecting
from dashboard.onboarding.sumsub.queries import WAITING
from dashboard.staff import queries as staff
from dashboard.web.htmx import go, page_or_fragment

#: role of the badge of each state
ROLES_OF_STATES = {
    KycState.NOT_STARTED: "neutral",
    KycState.PENDING: "info",
    KycState.ON_HOLD: "wait",
    KycState.RETRY: "wait",
    KycState.REJECTED: "stop",
    KycState.APPROVED: "ok",
    KycState.WITHDRAWN: "neutral",
}
ANSWERS = {"GREEN": ("ok", "GREEN"), "RED": ("stop", "RED"), "YELLOW": ("wait", "YELLOW")}
REJECT_TYPES = {"FINAL": "for good (FINAL)", "RETRY": "the applicant may try again (RETRY)"}
#: what an answer did to the client
DECIDED = {
    KycEffect.ACTIVATED: ("ok", "activated the client"),
    KycEffect.BLOCKED: ("stop", "blocked debits"),
    KycEffect.KEPT_INACTIVE: ("stop", "keeps the client inactive"),
    KycEffect.HELD_BACK: ("wait", "held back"),
    KycEffect.OUT_OF_DATE: ("neutral", "out of date, changes nothing"),
}


def _client(client_id: UUID) -> Client:
    """Raises NotFound."""
    found = clients.by_ids([client_id]).get(client_id)
    if found is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    return found


def _answer(answer: str | None, reject_type: str | None) -> tuple[str, str] | None:
    """Role and words of an answer's badge: GREEN, RED FINAL, RED RETRY; None without one."""
    if not answer:
        return None
    role = ANSWERS.get(answer, ("neutral", answer))[0]
    return role, f"{answer} {reject_type}" if reject_type else answer


def _line(row: HistoryRow) -> dict[str, Any]:
    decided = DECIDED.get(KycEffect(row.decided)) if row.decided else None
    return {
        "row": row,
        "what": badges.type_in_words(row.type),
        "answer": _answer(row.answer, row.reject_type),
        "source": badges.SOURCES.get(row.source, row.source),
        "effect": badges.STATES[row.effect or WAITING].word,
        "decided": decided,
    }


@pulling.get("/of/<uuid:client_id>/verification")
@requires(Permission.CLIENTS_READ)
def client_verification(client_id: UUID) -> Response:
    """Level, answers, reasons, attempts, history, and the way to Sumsub.

    A rejection may be why a client is blocked: who may not know reasons reads whether it is approved, and no more.
    """
    client, actor = _client(client_id), current_actor()
    now = verification_of(client.id)
    if not actor.sees_restricted:
        return page_or_fragment(
            "pulling/of_client.html",
            "pulling/_verification_brief.html",
            client=client,
            label="Verification",
            part="pulling/_verification_brief.html",
            now=now,
            approved=now is not None and now.state == KycState.APPROVED,
        )
    found = queries.verification(client.id)
    state = KycState(now.state) if now else KycState.NOT_STARTED
    return page_or_fragment(
        "pulling/of_client.html",
        "pulling/_verification.html",
        client=client,
        label="Verification",
        part="pulling/_verification.html",
        now=now,
        found=found,
        state=(ROLES_OF_STATES[state], KYC_LABELS[state][:1].upper() + KYC_LABELS[state][1:]),
        answer=_answer(now.answer, now.reject_type) if now else None,
        reject_type=REJECT_TYPES.get(now.reject_type, now.reject_type) if now and now.reject_type else None,
        labels=labels.in_words(now.labels) if now else [],
        client_comment=now.client_comment if now else None,
        link=links.applicant(now.applicant_id) if now else None,
        links=links,
        words_of=badges.type_in_words,
        asked_at=max((one.asked_at for one in found.applicants if one.asked_at), default=None),
        people=staff.names(row.accepted_by for row in found.differences if row.accepted_by),
        history=[_line(row) for row in found.history],
        differences=[shown(DifferenceView(row, client.name)) for row in found.differences],
        may_read_events=actor.may(Permission.EVENTS_READ),
        may_ask=actor.may(Permission.CLIENTS_REVIEW),
        may_settle=actor.may(Permission.CLIENTS_REVIEW),
        is_on=connecting.connection().is_on,
        off=connecting.OFF,
        reasons=REASON_LABELS,
        outcome=OUTCOME_LABELS[Outcome(found.asked.outcome)] if found.asked and found.asked.outcome else None,
        reason=REASON_LABELS[Reason(found.asking.reason)] if found.asking else None,
    )


@pulling.post("/of/<uuid:client_id>/verification/ask")
@requires(Permission.CLIENTS_REVIEW)
def ask_sumsub(client_id: UUID) -> Any:
    """Ask Sumsub how the client's verification stands, in the background."""
    client = _client(client_id)
    try:
        with transaction():
            asking.ask_now(client.id, by=current_actor())
    except Refused as refusal:
        flash(refusal.message, "stop")
    else:
        flash("Sumsub is being asked. Reload in a moment.", "wait")
    return go(url_for("clients.show", client_id=client.id, tab="verification"))
