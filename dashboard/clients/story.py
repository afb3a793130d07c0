"""What happened to a client, in words: the timeline, and why the status is what it is.

A reader without `clients:read-restricted` gets only the events named in `OPEN_TO_ALL`: what is left out there
(notes, reasons stated later, queue items taken) would tell something about a reason by its mere existence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals import queries as approvals
from dashboard.approvals.kinds import Detail, kind_of
from dashboard.approvals.models import ApprovalRequest
from dashboard.approvals.names import named
from dashboard.approvals.rows import details_of
from dashboard.audit import queries as audit
from dashboard.audit.queries import TimelineEntry
from dashboard.clients import countries, reject_labels
from dashboard.clients.blocks import MASKED_RULE
from dashboard.clients.calendar import calendar
from dashboard.clients.queries import blocking_decisions
from dashboard.clients.retention import HOLD_LABELS, HoldCode
from dashboard.clients.vocabulary import (
    BLOCK_CODE_LABELS,
    OUTCOME_LABELS,
    SCOPE_LABELS,
    BlockCode,
    KycEffect,
    Outcome,
    Scope,
    in_words,
)

OPEN_TO_ALL = (
    "approval.approved",
    "approval.expired",
    "approval.rejected",
    "approval.requested",
    "approval.stale",
    "approval.withdrawn",
    "client.activated",
    "client.blocked",
    "client.changed",
    "client.closed",
    "client.created",
    "client.flag_settled",
    "client.flagged",
    "client.flags_gone",
    "client.pep_ended",
    "client.pep_marked",
    "client.risk_lowered",
    "client.risk_raised",
    "client.unblocked",
    "deletion.purged",
    "deletion.refused",
    "deletion.requested",
    "deletion.withdrawn",
    # neither names a reason: comments are restricted, and why one was rejected may be told to the client itself
    "document.accepted",
    "document.expired",
    "document.rejected",
    "document.uploaded",
    "document.withdrawn",
    # an approval tells nothing of a block; what else a verification says might
    "verification.approved",
)
#: what gave the client its present status, or would have
CAUSES = (
    "client.activated", "client.blocked", "client.closed", "client.created", "client.unblocked",
    "verification.approved", "verification.out_of_date", "verification.rejected", "verification.retry",
    "verification.withdrawn",
)  # fmt: skip

#: what changed nothing: somebody looked
READS = ("document.read",)

PEOPLE = ("staff",)
MACHINES = ("token", "system")

_WHAT = {
    "account.changed": "Account changed",
    "account.closed": "Account closed",
    "account.opened": "Account opened",
    "accounts.reordered": "Accounts put into another order",
    "client.activated": "Activated",
    "client.block_completed": "Reason of a block stated",
    "client.changed": "Changed",
    "client.closed": "Relationship ended",
    "client.created": "Created",
    "client.flag_settled": "Flag settled",
    "client.flag_settled_restricted": "Flag settled",
    "client.flagged": "Flagged",
    "client.flagged_restricted": "Flagged",
    "client.flags_gone": "Flag gone after a change",
    "client.flags_gone_restricted": "Flag gone after a change",
    "client.flag_given": "Owner of a flag",
    "client.note_added": "Note added",
    "client.pep_ended": "PEP mark ended",
    "client.pep_marked": "Marked as PEP",
    "client.risk_lowered": "Risk lowered",
    "client.risk_raised": "Risk raised",
    "client.sanctions_mark_ended": "Sanctions mark ended",
    "client.sanctions_marked": "Sanctions mark",
    "client.unblocked": "Block lifted",
    "deletion.hold_ended": "Legal hold ended",
    "deletion.hold_placed": "Legal hold placed",
    "deletion.planned": "Deletion approved",
    "deletion.purged": "Personal data deleted, retention over",
    "deletion.refused": "Deletion refused",
    "deletion.requested": "Deletion requested",
    "deletion.withdrawn": "Deletion request taken back",
    "document.accepted": "Document accepted",
    "document.erased": "Document erased",
    "document.expired": "Document expired",
    "document.read": "Document looked at",
    "document.rejected": "Document rejected",
    "document.uploaded": "Document uploaded",
    "document.withdrawn": "Document withdrawn",
    "one_time_password.sent": "Code sent to close an account",
    "one_time_password.verified": "Code to close an account verified",
    "verification.approved": "Sumsub GREEN",
    "verification.doubt_settled": "Doubt about the verification settled",
    "verification.not_started": "Verification not started",
    "verification.on_hold": "Verification on hold",
    "verification.out_of_date": "Sumsub",
    "verification.pending": "Verification pending",
    "verification.rejected": "Sumsub RED FINAL",
    "verification.replayed": "Verification event processed again",
    "verification.retry": "Sumsub RED RETRY: asked again",
    "verification.withdrawn": "Verification withdrawn at Sumsub",
    "queue.released": "Put back into the queue",
    "queue.taken": "Taken from the queue",
    "review.completed": "Periodic review completed",
    "review.escalated": "Periodic review late: raised to senior officers",
    "verification.asked": "Sumsub asked about the verification",
    "verification.difference_accepted": "Difference with Sumsub let stand",
    "verification.difference_found": "Difference with Sumsub found",
    "verification.difference_resolved": "Difference with Sumsub resolved",
}
#: what an outcome did to the client, after what was told
_KYC_ANSWERS = {"approved": "GREEN", "rejected": "RED FINAL", "retry": "RED RETRY", "withdrawn": "withdrawal"}
_KYC_EFFECTS: dict[str, str] = {
    KycEffect.BLOCKED: "debits blocked",
    KycEffect.KEPT_INACTIVE: "stays inactive",
    KycEffect.HELD_BACK: "activation held back",
}
_DECISIONS = {
    "approval.requested": "requested",
    "approval.approved": "request approved",
    "approval.rejected": "request rejected",
    "approval.withdrawn": "request withdrawn",
    "approval.expired": "request expired",
    "approval.stale": "request closed: something changed meanwhile",
    "approval.refused": "request: somebody tried to decide and may not",
}
# of kinds that not everybody may know of
_DECISIONS |= {f"hidden-{action}": words for action, words in _DECISIONS.items()}
_LABELS = {
    "address": "Address",
    "birth_date": "Date of birth",
    "citizenship_country": "Citizenship",
    "category": "Kind",
    "country": "Country",
    "document_state": "State",
    "expiry_date": "Expires on",
    "email": "E-mail",
    "field": "What differs",
    "flags": "Flags",
    "list": "List",
    "next_review_date": "Next review",
    "owner": "Owner",
    "how": "How",
    "is_default_compliant": "Compliant by default",
    "is_engaged_gambling_10k": "Gambling above 10,000 EUR",
    "name": "Name",
    "onboarding_id": "Onboarding id",
    "overdraftLimit": "Overdraft limit",
    "phone_number": "Phone",
    "queue": "Queue",
    "related_individuals": "Related individuals",
    "residence_country": "Residence",
    "reviewDate": "Review by",
    "risk": "Risk",
    "scope": "Scope",
    "tax_residency_country": "Tax residency",
    "registration_country": "Country of registration",
    "type": "Type",
    "turnover": "Declared turnover",
    "web_site": "Web site",
}
#: already said by `what`, or by the status itself
_SAID = {
    "client.activated": {"event", "told", "level"},
    "client.blocked": {"scope"},
    "client.created": {"name", "type", "status", "profile"},
    "client.flag_given": {"flag"},
    "client.flag_settled": {"flag"},
    "client.flag_settled_restricted": {"flag"},
    "document.accepted": {"document"},
    "document.expired": {"document", "document_state"},
    "document.read": {"document", "how"},
    "document.rejected": {"document"},
    "document.uploaded": {"document", "sha256"},
    "document.withdrawn": {"document", "document_state"},
    "one_time_password.sent": {"operation", "oneTimePasswordId"},
    "one_time_password.verified": {"operation", "oneTimePasswordId"},
    "queue.taken": {"queue"},
    "queue.released": {"queue"},
}
#: where a mark comes from, in words
_SOURCE = {
    "list": "List", "edition": "edition", "said_by": "said by", "reference": "reference", "about": "about",
}  # fmt: skip
_COUNTRIES = {"country", "citizenship_country", "residence_country", "registration_country", "tax_residency_country"}


@dataclass(frozen=True)
class Turn:
    """One thing that changed. `before` or `after` None: there was none. `status`: shown as badges."""

    label: str
    before: str | None
    after: str | None
    status: bool = False


@dataclass(frozen=True)
class Said:
    """An event of a higher domain in its words. `url`: where its object stands; `keeps`: what changed is told too."""

    what: str
    url: str | None = None
    keeps: bool = False


#: the words for events, by id; those left out are told plainly
Teller = Callable[[Sequence[TimelineEntry]], Mapping[UUID, Said]]
_tellers: dict[str, Teller] = {}


def learn(tellers: Mapping[str, Teller]) -> None:
    """Objects of a higher domain that stand in a client's timeline, by their type."""
    _tellers.update(tellers)


@dataclass(frozen=True)
class Told:
    """One event as a page tells it."""

    id: UUID
    at: datetime
    who: str
    role: str
    action: str
    what: str
    turns: list[Turn]
    reason: str | None
    #: only for readers who may see it
    restricted: list[str]
    #: the request for approval that it is about
    request_id: UUID | None
    #: where its object is to be seen
    url: str | None = None
    #: what a verification did to the client
    effect: str | None = None


def _value(key: str, value: Any) -> str | None:
    if value is None or value in ("", [], {}):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(part for part in (_value(k, v) for k, v in value.items()) if part) or None
    if isinstance(value, list):
        return "; ".join(part for part in (_value(key, item) for item in value) if part) or None
    text = str(value)
    if key in _COUNTRIES:
        return countries.shown(text)
    if key == "reviewDate" or key.endswith("_date"):
        day = date.fromisoformat(text[:10])
        return f"{day.day} {day:%b %Y}"
    if key == "status":
        return text[:1].upper() + text[1:]
    if key in {"industry", "turnover", "company_type", "document_type", "queue", "type"}:
        return in_words(text).replace("-", " ")
    return text


def _label(key: str) -> str:
    return _LABELS.get(key) or key.replace("_", " ").capitalize()


def _turns(entry: TimelineEntry) -> list[Turn]:
    if entry.action.startswith("verification."):
        return []
    hidden = _SAID.get(entry.action, set())
    turns = []
    for key in dict.fromkeys((*entry.before, *entry.after)):
        if key in hidden or key == "request":
            continue
        before, after = _value(key, entry.before.get(key)), _value(key, entry.after.get(key))
        if before == after:
            continue
        if key in {"status", "risk"}:
            turns.append(Turn("" if key == "status" else "Risk", before, after, status=True))
        else:
            turns.append(Turn(_label(key), before, after))
    return turns


def _restricted(entry: TimelineEntry) -> list[str]:
    lines = []
    for key, value in (entry.restricted or {}).items():
        if value is None:
            continue
        if key == "code":
            lines.append(BLOCK_CODE_LABELS[BlockCode(value)])
        elif key == "outcome" and value in set(Outcome):
            lines.append(OUTCOME_LABELS[Outcome(value)])
        elif key == "kind":
            continue
        elif key in _SOURCE:
            lines.append(f"{_SOURCE[key]} {value}")
        elif key == "legalReference":
            lines.append(f"Legal reference {value}")
        elif key == "hold":
            lines.append(HOLD_LABELS[HoldCode(value)])
        elif key == "outcome":
            # told by `_verified`
            continue
        elif key == "cause":
            lines.append(in_words(str(value)))
        elif key == "clientComment":
            lines.append(f"for staff only: “{value}”")
        elif key == "labels":
            lines.append(reject_labels.listed(str(value).split(", ")))
        elif key == "comment" and entry.action == "client.blocked":
            lines.append(f"“{reject_labels.in_comment(str(value))}”")
        elif key == "asked_by":
            lines.append(f"asked by {value}")
        else:
            lines.append(f"“{value}”")
    return lines


def _what(
    entry: TimelineEntry, asked: ApprovalRequest | None, detail: Detail | None, *, names_papers: bool = True
) -> str:
    if entry.action in _DECISIONS:
        said = _DECISIONS[entry.action]
        if asked is None:
            return said.capitalize()
        words = kind_of(asked.kind).said(said)
        return f"{words}: {detail.short}" if detail else words
    if entry.action == "client.blocked":
        scope = entry.after.get("scope")
        return f"{SCOPE_LABELS[Scope(scope)]} block" if scope and scope != Scope.ALL else "Full block"
    if entry.action == "client.flag_given" and entry.after.get("flag"):
        return f"Flag given: {entry.after['flag']}"
    if entry.action.startswith("verification.") or (entry.action == "client.activated" and entry.after.get("event")):
        return _verified(entry)
    if entry.action in {"client.flag_settled", "client.flag_settled_restricted"} and entry.before.get("flag"):
        return f"Flag settled: {entry.before['flag']}"
    if entry.action.startswith("queue.") and entry.after.get("queue"):
        return f"{_WHAT[entry.action]} “{_value('queue', entry.after['queue'])}”"
    if entry.action.startswith("document.") and entry.after.get("document"):
        words = "Document downloaded" if entry.after.get("how") == "downloaded" else _WHAT[entry.action]
        return f"{words}: {entry.after['document']}" if names_papers else words
    return _WHAT.get(entry.action) or entry.action.partition(".")[2].replace("_", " ").capitalize()


def _who(entry: TimelineEntry, actor: Actor) -> str:
    """Which rule of the house acted would tell why: without the permission each of them reads alike."""
    if entry.actor_kind == "system" and not actor.sees_restricted:
        return MASKED_RULE
    return named(entry.actor_kind, entry.actor_name, entry.actor_role)


def _verified(entry: TimelineEntry) -> str:
    """`Sumsub GREEN, created 4 Feb 10:12`, and what came of it."""
    words = "Sumsub GREEN" if entry.action == "client.activated" else _WHAT.get(entry.action, "Verification")
    if entry.after.get("told"):
        told = datetime.fromisoformat(entry.after["told"]).astimezone(calendar().zone)
        words = f"{words}, created {told.day} {told:%b %Y %H:%M}"
    if entry.action == "verification.out_of_date":
        said = _KYC_ANSWERS.get(str((entry.restricted or {}).get("outcome")), "answer")
        return f"{words.replace('Sumsub', f'Sumsub {said}', 1)}, out of date: nothing changed"
    effect = _KYC_EFFECTS.get(str(entry.after.get("effect")))
    why = entry.after.get("why")
    return words + (f": {effect}" if effect else "") + (f". {why}" if why else "")


def _event_url(entry: TimelineEntry, actor: Actor) -> str | None:
    """The event that told it, for those who may read events; a package above shows it."""
    event = entry.after.get("event")
    return f"/onboarding/events/{event}" if event and actor.may(Permission.EVENTS_READ) else None


def role_label(kind: str, role: str) -> str:
    """Senior officer; nothing for a machine, whose name says it."""
    return ROLES[Role(role)].label if kind == "staff" and role in set(Role) else ""


def tell(entries: Sequence[TimelineEntry], *, actor: Actor) -> list[Told]:
    """The words for events; their requests, and what those are about, are read for all of them at once."""
    requests = approvals.by_ids(e.object_id for e in entries if e.object_type == "approval_request")
    details = details_of(list(requests.values()), actor)
    said: dict[UUID, Said] = {}
    for object_type, teller in _tellers.items():
        theirs = [entry for entry in entries if entry.object_type == object_type]
        if theirs:
            said.update(teller(theirs))
    told = []
    for entry in entries:
        own_words = said.get(entry.id)
        about = entry.object_id if entry.object_type == "approval_request" else None
        asked = requests.get(about) if about else None
        own = actor.id is not None and entry.actor_id == actor.id
        told.append(
            Told(
                id=entry.id,
                at=entry.at,
                who="you" if own else _who(entry, actor),
                role="" if own else role_label(entry.actor_kind, entry.actor_role),
                action=entry.action,
                what=own_words.what
                if own_words
                else _what(
                    entry,
                    asked,
                    details.get(asked.id) if asked else None,
                    # the name of a file may tell what stands in it
                    names_papers=actor.may(Permission.DOCUMENTS_READ),
                ),
                turns=[] if own_words and not own_words.keeps else _turns(entry),
                reason=entry.reason,
                restricted=_restricted(entry),
                request_id=about,
                url=f"/approvals/{about}" if about else own_words.url if own_words else _event_url(entry, actor),
                effect=entry.after.get("effect"),
            )
        )
    return told


def timeline(
    client_id: UUID,
    *,
    actor: Actor,
    kinds: tuple[str, ...] = (),
    actions: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    older_than: UUID | None = None,
    since: datetime | None = None,
    without_types: tuple[str, ...] = (),
    limit: int = 50,
) -> list[Told]:
    """Newest first, and only what this reader may know of."""
    if not actor.sees_restricted:
        actions = tuple(a for a in actions if a in OPEN_TO_ALL) if actions else OPEN_TO_ALL
    entries = audit.timeline(
        client_id,
        sees_restricted=actor.sees_restricted,
        older_than=older_than,
        since=since,
        without_types=without_types,
        kinds=kinds,
        actions=actions,
        without=without,
        limit=limit,
    )
    return _with_events_of_blocks(client_id, entries, tell(entries, actor=actor), actor=actor)


def _with_events_of_blocks(
    client_id: UUID, entries: Sequence[TimelineEntry], told: list[Told], *, actor: Actor
) -> list[Told]:
    """A block that a failed verification placed leads to its event, for those who may know the one and the other."""
    placed = {
        entry.id: entry.at
        for entry in entries
        if entry.action == "client.blocked"
        and entry.actor_kind == "system"
        and (entry.restricted or {}).get("code") == BlockCode.KYC_FAILED
    }
    if not placed or not actor.sees_restricted or not actor.may(Permission.EVENTS_READ):
        return told
    decided = blocking_decisions(client_id)
    # the decision is written after its block, in the same transaction
    events = {one: next((event for event, at in decided if at >= moment), None) for one, moment in placed.items()}
    return [
        replace(one, url=f"/onboarding/events/{events[one.id]}") if events.get(one.id) and one.url is None else one
        for one in told
    ]
