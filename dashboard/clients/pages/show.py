"""The page of one client. The tab is in the URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from flask import render_template, request, url_for

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import countries, deletion, marking, queries, retention, reviewing, story
from dashboard.clients.badges import Badge, severity_badge, status_badge
from dashboard.clients.calendar import calendar
from dashboard.clients.documents import queries as documents
from dashboard.clients.documents.labels import document_label
from dashboard.clients.documents.pages.tab import documents_tab
from dashboard.clients.forms import NoteForm
from dashboard.clients.models import Client, Company
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.pages.deletion import state_badge
from dashboard.clients.pages.flags import also_on
from dashboard.clients.pages.head import BlockLine, Head, head_of
from dashboard.clients.queries import FlagView
from dashboard.clients.vocabulary import (
    SCOPE_LABELS,
    TURNOVER_LABELS,
    ClientType,
    FlagCode,
    KycEffect,
    Scope,
    Severity,
    Turnover,
    in_words,
)
from dashboard.errors import Forbidden
from dashboard.queues import queries as queues
from dashboard.queues.models import QueueItem
from dashboard.staff import queries as staff
from dashboard.staff.sessions import safe_next

TABS = {
    "overview": "Overview", "verification": "Verification", "money": "Money", "transfers": "Transfers",
    "documents": "Documents", "related": "Related", "notes": "Notes", "timeline": "Timeline",
}  # fmt: skip
TIMELINE_PAGE = 50
WHO = {"": ("Everybody", ()), "people": ("People", story.PEOPLE), "machines": ("Machines", story.MACHINES)}
QUEUE_LABELS = {
    "client-review": "Client review", "activation": "Activation", "block-review": "Block reviews",
    "documents": "Documents to review", "deletion-requests": "Deletion requests",
    "client-reviews": "Periodic reviews", "overdue-reviews": "Late reviews", "verification": "Verification doubts",
}  # fmt: skip
FLAG_QUEUES = frozenset({"client-review", "activation"})
REVIEW_QUEUES = frozenset({"client-reviews", "overdue-reviews"})
_TASKS = {
    ("client-review", "flags"): "Review the client",
    ("activation", "ready"): "Decide on activation",
    ("block-review", "review"): "Review",
    ("block-review", "state-reason"): "State the reason",
    ("block-review", "str-hold"): "STR hold ends",
    ("deletion-requests", "decide"): "Decide on the deletion",
    ("deletion-requests", "inTheWay"): "Due to be deleted, and something is in the way",
    ("documents", "review"): "Review a document",
    ("documents", "expires"): "Ask for a newer document: one expires",
    ("client-reviews", "periodic"): "Review periodically",
    ("overdue-reviews", "overdue"): "Nobody has reviewed the client: debits will stop",
    ("verification", "rejectedWhileActive"): "RED FINAL on an active client",
    ("verification", "rejectedOutOfDate"): "RED FINAL, out of date, on an active client",
    ("verification", "aheadOfTime"): "From a time that has not come",
    ("verification", "approvedAfterRejection"): "GREEN after RED FINAL",
    ("verification", "notApprovedWhileActive"): "Active, and no longer approved",
    ("verification", "approvedHeldBack"): "Approved, and held back",
    ("verification", "contradiction"): "Sumsub contradicts itself",
    ("verification", "sandboxInProduction"): "From a sandbox",
    ("verification", "processingFailed"): "Processing failed again and again",
    ("held-transfers", "review"): "Look at a held transfer",
    ("held-transfers", "contradiction"): "Look at a transfer of which the provider contradicts itself",
    ("verification", "difference"): "Sumsub says something else",
    ("verification", "approvalUnconfirmed"): "Sumsub does not confirm its approval",
}


@dataclass(frozen=True)
class OpenItem:
    """A flag or a task. `flag` only where this reader may settle it."""

    badge: Badge
    what: str
    about: str
    owner: str | None
    due: datetime | None
    flag: FlagView | None
    #: where one acts on it; `dialog` when that opens over the page
    url: str | None = None
    dialog: bool = True
    #: a second link after `about`, as (text, address)
    more: tuple[str, str] | None = None


def _back() -> tuple[str, str, bool]:
    """Label and address of the list one came from; whether this request knows it (else the browser may)."""
    came = urlsplit(request.referrer or "")
    path = came.path + (f"?{came.query}" if came.query else "")
    if came.netloc == request.host and safe_next(path) == path:
        if came.path == "/clients":
            return "Clients", path, True
        if came.path == "/":
            return "Home", path, True
        queue = came.path.removeprefix("/queues/")
        if queue != came.path and queue in QUEUE_LABELS:
            return QUEUE_LABELS[queue], path, True
    return "Clients", url_for("clients.listing"), False


@clients.get("/<uuid:client_id>")
@requires(Permission.CLIENTS_READ)
def show(client_id: UUID) -> str:
    """One tab of one client."""
    actor = current_actor()
    client = queries.get(client_id)
    tab = request.args.get("tab", "overview")
    if tab not in TABS:
        tab = "overview"
    if tab == "notes" and not actor.sees_restricted:
        raise Forbidden(f"Your role ({ROLES[Role(actor.role)].label}) cannot open notes of clients.")
    if tab == "money" and not actor.may(Permission.LEDGER_READ):
        raise Forbidden(f"Your role ({ROLES[Role(actor.role)].label}) cannot open accounts and transactions.")
    if tab == "transfers" and not actor.may(Permission.TRANSFERS_READ):
        raise Forbidden(f"Your role ({ROLES[Role(actor.role)].label}) cannot open transfers.")
    if tab == "documents" and not actor.may(Permission.DOCUMENTS_READ):
        raise Forbidden(f"Your role ({ROLES[Role(actor.role)].label}) cannot open documents.")
    head = head_of(client, actor=actor)
    context = {
        "overview": _overview, "verification": _elsewhere, "money": _elsewhere, "transfers": _elsewhere,
        "documents": documents_tab, "related": _related, "notes": _notes, "timeline": _timeline,
    }[tab](head, actor)  # fmt: skip
    hidden = {
        *([] if actor.sees_restricted else ["notes"]),
        *([] if actor.may(Permission.LEDGER_READ) else ["money"]),
        *([] if actor.may(Permission.TRANSFERS_READ) else ["transfers"]),
        *([] if actor.may(Permission.DOCUMENTS_READ) else ["documents"]),
    }
    shown = [key for key in TABS if key not in hidden]
    return render_template(
        "clients/show.html",
        head=head,
        client=client,
        tab=tab,
        tabs=[(key, TABS[key]) for key in shown],
        tab_notes={"documents": _waiting_documents(client.id)} if "documents" in shown else {},
        country=countries.shown,
        in_words=in_words,
        back=_back(),
        as_date=_as_date,
        **context,
    )


def _detail(client: Client) -> dict[str, Any]:
    if client.type == ClientType.INDIVIDUAL:
        return {"individual": queries.individual_of(client)}
    company = queries.company_of(client)
    turnover = company.turnover if company else None
    known = turnover in set(Turnover)
    people = queries.related_of(client.id)
    return {
        "company": company,
        "turnover": TURNOVER_LABELS[Turnover(turnover)] if turnover and known else turnover,
        "people": people,
        "others_of": queries.clients_of_people(client.id, people),
        "purposes": _purposes(company) if company else [],
    }


def _purposes(company: Company) -> list[str]:
    listed = [in_words(purpose) for purpose in company.purposes_account_opening or []]
    return [*listed, *([company.purposes_account_opening_other] if company.purposes_account_opening_other else [])]


def _as_date(text: str | None) -> date | None:
    """Dates in small JSON documents are ISO texts."""
    return date.fromisoformat(text) if text else None


def _overview(head: Head, actor: Actor) -> dict[str, Any]:
    client = head.client
    marks = marking.marks_of(client.id, actor=actor)
    causes = story.timeline(client.id, actor=actor, actions=story.CAUSES, limit=3)
    return {
        **_detail(client),
        "today": calendar().today(),
        "items_open": _open_items(head, actor),
        "may_see_money": actor.may(Permission.LEDGER_READ),
        "data": _data(client, actor),
        "coming": reviewing.next_review(client.id) if actor.sees_restricted else None,
        "may_review": actor.may(Permission.CLIENTS_REVIEW) and actor.sees_restricted,
        "marks": marks,
        "sanctioned": {mark.about for mark in marks if mark.sanctions},
        "sees": actor.sees_restricted,
        "risks": reviewing.risk_history(client.id, actor=actor, limit=4),
        "causes": causes,
        "stays": {cause.id: words for cause in causes if (words := _stays(head, cause))},
        "latest": story.timeline(client.id, actor=actor, without=story.READS, limit=5),
    }


def _stays(head: Head, cause: story.Told) -> str:
    """What an approval left as it was: a block that stood before it and stands now."""
    if cause.action != "verification.approved" or cause.effect != KycEffect.NOTHING:
        return ""
    before = [line.block for line in head.blocks if line.block.started_at < cause.at]
    if not before:
        return ""
    if len(before) > 1:
        return f"{len(before)} blocks stay until two people lift them"
    scope = before[0].scope
    which = "full" if scope == Scope.ALL else SCOPE_LABELS[Scope(scope)].lower()
    return f"the {which} block stays until two people lift it"


def _data(client: Client, actor: Actor) -> dict[str, Any]:
    """Retention, holds and deletion in short; the whole has a page of its own."""
    asked = deletion.latest_request(client.id)
    # a hold may tell of a report: the timeline is silent about it as well
    many = len(deletion.active_holds(client.id)) if actor.sees_restricted else None
    return {
        "request": state_badge(asked.state) if asked else None,
        "until": retention.ends(deletion.retention_begins(client.id)) if client.closed_at else None,
        "holds": None if many is None else "none" if not many else "1 stands" if many == 1 else f"{many} stand",
        "years": retention.years(),
    }


def _elsewhere(head: Head, actor: Actor) -> dict[str, Any]:
    """What comes from higher packages, by their addresses."""
    return {}


def _waiting_documents(client_id: UUID) -> str:
    waiting = documents.to_review(client_id)
    return f"({waiting} to review)" if waiting else ""


def _related(head: Head, actor: Actor) -> dict[str, Any]:
    linked = queries.linked_to(head.client.id)
    freezes = queries.freezes(other.client for other in linked)
    return {
        "people": queries.related_of(head.client.id),
        "linked": [(other, status_badge(other.client, freezes.get(other.client.id))) for other in linked],
    }


def _notes(head: Head, actor: Actor) -> dict[str, Any]:
    return {"notes": queries.notes_of(head.client.id), "form": NoteForm() if head.may_note else None}


def _timeline(head: Head, actor: Actor) -> dict[str, Any]:
    who = request.args.get("who", "")
    if who not in WHO:
        who = ""
    older_than = request.args.get("older", type=UUID)
    events = story.timeline(
        head.client.id, actor=actor, kinds=WHO[who][1], older_than=older_than, limit=TIMELINE_PAGE + 1
    )
    more = len(events) > TIMELINE_PAGE
    return {
        "events": events[:TIMELINE_PAGE],
        "older": events[TIMELINE_PAGE - 1].id if more else None,
        "started_later": older_than is not None,
        "who": who,
        "who_choices": [(key, label) for key, (label, _) in WHO.items()],
    }


def _about(field: str, people: Mapping[int, str]) -> str:
    """Where a flag comes from: `relatedIndividuals.0.isPep` is the first person of `people`, by position."""
    person = re.match(r"relatedIndividuals\.(\d+)", field)
    if person:
        position = int(person[1])
        return people.get(position) or f"related individual {position + 1}"
    return in_words(field.partition(".")[0]).lower() if "." in field else ""


def _open_items(head: Head, actor: Actor) -> list[OpenItem]:
    """Flags by severity, then the tasks that are no flag's own."""
    tasks = queues.of_client(head.client.id, actor=actor)
    if not actor.sees_restricted:
        # whether one is open, until when, and who has it follows from restricted flags and legal holds as well
        tasks = [task for task in tasks if task.queue not in FLAG_QUEUES and task.cause != "inTheWay"]
    flags = queries.flags_of(head.client.id, sees_restricted=actor.sees_restricted)
    names = staff.names([*(task.assignee_id for task in tasks), *(flag.flag.owner_id for flag in flags)])
    review = next((task for task in tasks if task.queue == "client-review"), None)
    client_id = head.client.id
    people = {}
    if any(flag.field.startswith("relatedIndividuals.") for flag in flags):
        people = {
            one.position: " ".join(filter(None, (one.first_name, one.last_name)))
            for one in queries.related_of(client_id)
        }
    papers = documents.by_ids([task.object_id for task in tasks if task.object_type == "client_document"])
    items = []
    for flag in flags:
        task = review if flag.severity >= Severity.CHECK else None
        settled_by_hand = head.may_settle and flag.code != FlagCode.RISK_PROHIBITED
        items.append(
            OpenItem(
                badge=severity_badge(flag.severity),
                what=flag.label,
                about=_about(flag.field, people),
                owner=_flag_owner(flag, task, actor, names),
                due=task.due_at if task else None,
                flag=flag if settled_by_hand else None,
                url=_flag_url(client_id, flag) if settled_by_hand else None,
                more=_same_document(client_id) if flag.code == FlagCode.DUPLICATE_DOCUMENT else None,
            )
        )
    for task in tasks:
        if task is review and flags:
            continue
        what = _TASKS.get((task.queue, task.cause)) or in_words(task.queue.replace("-", " "))
        line = next((line for line in head.blocks if line.block.id == task.object_id), None)
        asked = line.asked if line else _activation_of(head, task)
        if line:
            what = f"{what}: {line.block.scope_label} · {line.block.code_label}"
        about = "" if asked is None else "asked, waits for approval"
        if task.object_id in papers and head.may_see_documents:
            about = document_label(papers[task.object_id])
        url, dialog = _act_url(head, task, line) if asked is None else (f"/approvals/{asked.id}", False)
        owner = _owner(task, actor, names)
        items.append(OpenItem(_urgency(task), what, about, owner, task.due_at, None, url, dialog))
    return items


def _flag_url(client_id: UUID, flag: FlagView) -> str:
    return url_for("clients.settle_flag", client_id=client_id, flag_id=flag.id)


def _same_document(client_id: UUID) -> tuple[str, str] | None:
    """Who else holds the document, with the way to them."""
    found = queries.same_document(client_id)
    if found is None:
        return None
    return also_on(found), url_for("clients.show", client_id=client_id, tab="related")


def _activation_of(head: Head, task: QueueItem) -> ApprovalRequest | None:
    if task.queue != "activation":
        return None
    return next((one.request for one in head.pending if one.request.kind == "client.activate"), None)


def _act_url(head: Head, task: QueueItem, line: BlockLine | None) -> tuple[str | None, bool]:
    """Where the task is done, for this reader; whether that is a dialog."""
    client_id = head.client.id
    if task.object_type == "deletion_request":
        return url_for("clients.show_deletion", client_id=client_id), False
    if task.queue in REVIEW_QUEUES:
        return (url_for("clients.review", client_id=client_id) if head.may_settle else None), False
    if task.object_type == "transfer":
        # the same for everybody who may open transfers; what may be done with it is decided there
        return f"/transfers/{task.object_id}", False
    if task.object_type == "client_document":
        if not head.may_see_documents:
            return None, False
        return url_for("clients.document", client_id=client_id, document_id=task.object_id), False
    if task.object_type == "verification_difference" or task.cause == "approvalUnconfirmed":
        return url_for("clients.show", client_id=client_id, tab="verification"), False
    if task.object_type == "sumsub_event":
        return f"/onboarding/events/{task.object_id}", False
    if task.object_type == "sumsub_applicant":
        return f"/onboarding/events/applicants/{task.object_id}", False
    if task.queue == "activation" and head.may_activate:
        return url_for("clients.activate", client_id=client_id), True
    if line and task.cause == "state-reason" and head.may_block and line.block.not_stated:
        return url_for("clients.state_reason", client_id=client_id, block_id=line.block.id), True
    if line and task.cause != "state-reason" and head.may_lift:
        return url_for("clients.lift", client_id=client_id, block_id=line.block.id), True
    return None, False


def _owner(task: QueueItem, actor: Actor, names: dict[UUID, str]) -> str:
    if task.assignee_id is None:
        return "unassigned"
    return "you" if task.assignee_id == actor.id else names.get(task.assignee_id, "a colleague")


def _flag_owner(flag: FlagView, task: QueueItem | None, actor: Actor, names: dict[UUID, str]) -> str | None:
    """Whoever has the flag itself, else whoever has the client's review."""
    owner_id = flag.flag.owner_id
    if owner_id is not None:
        return "you" if owner_id == actor.id else names.get(owner_id, "a colleague")
    return _owner(task, actor, names) if task else None


def _urgency(task: QueueItem) -> Badge:
    moment = clock.now()
    if task.due_at < moment:
        return Badge("stop", "Late")
    days = calendar()
    return Badge("wait", "Due today") if days.today(task.due_at) == days.today(moment) else Badge("neutral", "Task")
