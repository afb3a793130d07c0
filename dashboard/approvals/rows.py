"""A request as a reader may see it, in words: the rows of every list of requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Role
from dashboard.approvals import queries, services
from dashboard.approvals.kinds import kind_of
from dashboard.approvals.models import ApprovalRequest
from dashboard.staff.queries import Person

MASKED_REASON = "Internal reason"
#: names shown of each role
NAMES_SHOWN = 4

#: colour role and word of each state
STATES = {
    "requested": ("wait", "Waiting for approval"),
    "approved": ("ok", "Approved"),
    "rejected": ("stop", "Rejected"),
    "withdrawn": ("neutral", "Withdrawn"),
    "expired": ("neutral", "Expired"),
    "stale": ("unknown", "Stale"),
}


class Turn(NamedTuple):
    """One thing that would change. `label` is empty for the status itself."""

    label: str
    before: str
    after: str


@dataclass(frozen=True)
class RequestRow:
    """`why_not` is why this reader may not decide; None when they may."""

    id: UUID
    what: str
    client_id: UUID | None
    turns: list[Turn]
    asked_by: str
    asked_by_me: bool
    by_token: bool
    requested_at: datetime
    who_can: str
    expires_at: datetime
    is_open: bool
    state: str
    state_role: str
    state_word: str
    reason: str
    decision_reason: str | None
    decider_name: str | None
    decider_senior: bool
    closed_at: datetime | None
    why_not: str | None


def turns_of(before: dict[str, Any], after: dict[str, Any]) -> list[Turn]:
    """Before and after, side by side."""

    def word(value: Any) -> str:
        text = "" if value is None else str(value)
        return text[:1].upper() + text[1:] or "none"

    return [
        Turn("" if key == "status" else key.capitalize(), word(before.get(key)), word(after.get(key)))
        for key in dict.fromkeys((*before, *after))
    ]


def people_in_words(people: Iterable[Person], reader_id: UUID | None = None) -> str:
    """Senior officers: R. Kask (signed in), T. Mets; officers: you."""
    by_role: dict[str, list[str]] = {}
    for person in sorted(people, key=lambda person: person.id != reader_id):
        name = "you" if person.id == reader_id else f"{person.name} (signed in)" if person.signed_in else person.name
        by_role.setdefault(person.role, []).append(name)
    if not by_role:
        return "Nobody: there is no second person with this right"
    groups = []
    for role in sorted(by_role, key=lambda r: (not ROLES[Role(r)].senior, r)):
        names = by_role[role]
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        groups.append(f"{ROLES[Role(role)].plural}: {', '.join(names[:NAMES_SHOWN])}{more}")
    return "; ".join([groups[0], *(group[:1].lower() + group[1:] for group in groups[1:])])


def _seen(text: str | None, request: ApprovalRequest, actor: Actor) -> str | None:
    if text and request.restricted and not actor.sees_restricted:
        return MASKED_REASON
    return text


def rows(requests: Iterable[ApprovalRequest], *, actor: Actor, idle: timedelta) -> list[RequestRow]:
    """Rows for this reader. `idle` is how long a session counts as signed in."""
    wanted = list(requests)
    moment = clock.now()
    live = {r.id for r in wanted if r.state == "requested" and r.expires_at > moment}
    who = queries.deciders((r for r in wanted if r.id in live), idle=idle)
    found = []
    for request in wanted:
        # over by time, and the scheduler has not closed it yet
        state = "expired" if request.state == "requested" and request.id not in live else request.state
        role, word = STATES[state]
        found.append(
            RequestRow(
                id=request.id,
                what=kind_of(request.kind).about(request.subject),
                client_id=request.client_id,
                turns=turns_of(request.before, request.after),
                asked_by=request.maker_name,
                asked_by_me=request.maker_id == actor.id,
                by_token=request.maker_kind == "token",
                requested_at=request.requested_at,
                who_can=people_in_words(who[request.id], actor.id) if request.id in live else "",
                expires_at=request.expires_at,
                is_open=request.id in live,
                state=state,
                state_role=role,
                state_word=word,
                reason=_seen(request.reason, request, actor) or "",
                decision_reason=_seen(request.decision_reason, request, actor),
                decider_name=request.decider_name,
                decider_senior=bool(request.decider_senior),
                closed_at=request.closed_at,
                why_not=services.why_not(request, actor),
            )
        )
    return found
