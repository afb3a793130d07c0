"""A request as a reader may see it, in words: the rows of every list of requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.approvals import queries, services, taking, terms
from dashboard.approvals.kinds import Detail, Kind, Line, Link, Outcome, kind_of
from dashboard.approvals.models import ApprovalRequest
from dashboard.approvals.names import named, people_in_words
from dashboard.staff import queries as staff

MASKED_REASON = "Internal reason"

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
    """One thing that would change, or stays when both are alike. `label` is empty for the status itself."""

    label: str
    before: str
    after: str


@dataclass(frozen=True)
class RequestRow:
    """`why_not` is why this reader may not decide; None when they may. `turns` are of now while it is open."""

    id: UUID
    what: str
    #: "Unblock requested"
    asked: str
    #: what exactly, in a few words; empty where the kind tells nothing
    short: str
    lines: tuple[Line, ...]
    links: tuple[Link, ...]
    client_id: UUID | None
    turns: list[Turn]
    asked_by: str
    #: also by a token that they answer for: withdrawing is theirs
    asked_by_me: bool
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
    bulk_safe: bool
    #: its time ends within two business hours, and its maker is told
    ends_soon: bool
    #: who has taken it to decide it: "you", a name, or nobody
    taken_by: str | None
    taken_by_me: bool


def turns_of(before: dict[str, Any], after: dict[str, Any]) -> list[Turn]:
    """Before and after, side by side."""

    def word(value: Any) -> str:
        text = "" if value is None else str(value)
        return text[:1].upper() + text[1:] or "none"

    return [
        Turn("" if key == "status" else key[:1].upper() + key[1:], word(before.get(key)), word(after.get(key)))
        for key in dict.fromkeys((*before, *after))
    ]


def details_of(requests: Sequence[ApprovalRequest], actor: Actor) -> dict[UUID, Detail]:
    """What each request is about, where its kind tells; one call for each kind among them."""
    found: dict[UUID, Detail] = {}
    for kind, asked in _by_kind(requests):
        if kind.details is not None:
            found |= kind.details(asked, actor)
    return found


def _outcomes(requests: Sequence[ApprovalRequest]) -> dict[UUID, Outcome]:
    found: dict[UUID, Outcome] = {}
    for kind, asked in _by_kind(requests):
        if kind.outcomes is not None:
            found |= kind.outcomes(asked)
    return found


def _by_kind(requests: Sequence[ApprovalRequest]) -> list[tuple[Kind, list[ApprovalRequest]]]:
    grouped: dict[str, list[ApprovalRequest]] = {}
    for request in requests:
        grouped.setdefault(request.kind, []).append(request)
    return [(kind_of(key), asked) for key, asked in grouped.items()]


def _seen(text: str | None, request: ApprovalRequest, actor: Actor) -> str | None:
    if text and request.restricted and not actor.sees_restricted:
        return MASKED_REASON
    return text


def rows(requests: Iterable[ApprovalRequest], *, actor: Actor, idle: timedelta) -> list[RequestRow]:
    """Rows for this reader. `idle` is how long a session counts as signed in."""
    wanted = list(requests)
    moment = clock.now()
    near = clock.calendar().add_hours(moment, services.WARNED_HOURS)
    live = {r.id for r in wanted if r.state == "requested" and r.expires_at > moment}
    rules = terms.standing() if wanted else {}
    who = queries.deciders((r for r in wanted if r.id in live), rules=rules, idle=idle)
    outcomes = _outcomes([r for r in wanted if r.id in live or r.state == "approved"])
    details = details_of(wanted, actor)
    holders = taking.holders(live)
    people = staff.names(holder for holder in holders.values() if holder != actor.id)
    found = []
    for request in wanted:
        # over by time, and the scheduler has not closed it yet
        state = "expired" if request.state == "requested" and request.id not in live else request.state
        role, word = STATES[state]
        kind, detail = kind_of(request.kind), details.get(request.id)
        mine = actor.id is not None and request.maker_id == actor.id
        holder = holders.get(request.id)
        decided_by_reader = actor.id is not None and request.decided_by == actor.id
        found.append(
            RequestRow(
                id=request.id,
                what=kind.about(request.subject),
                asked=kind.said("requested"),
                short=detail.short if detail else "",
                lines=detail.lines if detail else (),
                links=detail.links if detail else (),
                client_id=request.client_id,
                turns=turns_of(*outcomes.get(request.id, (request.before, request.after))),
                asked_by="you" if mine else named(request.maker_kind, request.maker_name),
                asked_by_me=mine or (actor.id is not None and request.maker_owner_id == actor.id),
                requested_at=request.requested_at,
                who_can=people_in_words(who[request.id], actor.id) if request.id in live else "",
                expires_at=request.expires_at,
                is_open=request.id in live,
                state=state,
                state_role=role,
                state_word=word,
                reason=_seen(request.reason, request, actor) or "",
                # of a stale one it is the house's own sentence
                decision_reason=request.decision_reason
                if request.state == "stale"
                else _seen(request.decision_reason, request, actor),
                decider_name="you" if decided_by_reader else request.decider_name,
                decider_senior=bool(request.decider_senior),
                closed_at=request.closed_at,
                why_not=services.why_not(request, actor, rules.get(request.kind, terms.AS_INSTALLED)),
                bulk_safe=kind.bulk_safe,
                ends_soon=request.id in live and request.expires_at <= near,
                taken_by="you" if holder is not None and holder == actor.id else people.get(holder) if holder else None,
                taken_by_me=holder is not None and holder == actor.id,
            )
        )
    return found
