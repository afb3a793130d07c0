"""The page of one client. The tab is in the URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from flask import render_template, request

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.clients import countries, queries, story
from dashboard.clients.badges import Badge, severity_badge, status_badge
from dashboard.clients.calendar import calendar
from dashboard.clients.forms import NoteForm
from dashboard.clients.models import Client, Company
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.pages.head import Head, head_of
from dashboard.clients.queries import FlagView
from dashboard.clients.vocabulary import TURNOVER_LABELS, ClientType, FlagCode, Severity, Turnover, in_words
from dashboard.errors import Forbidden
from dashboard.queues import queries as queues
from dashboard.queues.models import QueueItem
from dashboard.staff import queries as staff

TABS = {"overview": "Overview", "related": "Related", "notes": "Notes", "timeline": "Timeline"}
TIMELINE_PAGE = 50
WHO = {"": ("Everybody", ()), "people": ("People", story.PEOPLE), "machines": ("Machines", story.MACHINES)}
_TASKS = {
    ("client-review", "flags"): "Review the client",
    ("activation", "ready"): "Decide on activation",
    ("block-review", "review"): "Review the block",
    ("block-review", "state-reason"): "State the reason of a block",
    ("block-review", "str-hold"): "Decide on a suspicious transaction hold",
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
    head = head_of(client, actor=actor)
    context = {"overview": _overview, "related": _related, "notes": _notes, "timeline": _timeline}[tab](head, actor)
    shown = [key for key in TABS if key != "notes" or actor.sees_restricted]
    return render_template(
        "clients/show.html",
        head=head,
        client=client,
        tab=tab,
        tabs=[(key, TABS[key]) for key in shown],
        country=countries.shown,
        in_words=in_words,
        as_date=_as_date,
        **context,
    )


def _detail(client: Client) -> dict[str, Any]:
    if client.type == ClientType.INDIVIDUAL:
        return {"individual": queries.individual_of(client)}
    company = queries.company_of(client)
    turnover = company.turnover if company else None
    known = turnover in set(Turnover)
    return {
        "company": company,
        "turnover": TURNOVER_LABELS[Turnover(turnover)] if turnover and known else turnover,
        "people": queries.related_of(client.id),
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
    return {
        **_detail(client),
        "today": calendar().today(),
        "items_open": _open_items(head, actor),
        "causes": story.timeline(client.id, actor=actor, actions=story.CAUSES, limit=3),
        "latest": story.timeline(client.id, actor=actor, limit=5),
    }


def _related(head: Head, actor: Actor) -> dict[str, Any]:
    linked = queries.linked_to(head.client.id)
    freezes = queries.freezes(other.client for other in linked)
    return {
        "people": queries.related_of(head.client.id),
        "linked": [(other, status_badge(other.client, freezes.get(other.client.id))) for other in linked],
    }


def _notes(head: Head, actor: Actor) -> dict[str, Any]:
    return {"notes": queries.notes_of(head.client.id), "form": NoteForm() if head.may_edit else None}


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


def _about(field: str) -> str:
    """Where a flag comes from: `relatedIndividuals.0.isPep` is "related individual 1"."""
    person = re.match(r"relatedIndividuals\.(\d+)", field)
    if person:
        return f"related individual {int(person[1]) + 1}"
    return in_words(field.partition(".")[0]).lower() if "." in field else ""


def _open_items(head: Head, actor: Actor) -> list[OpenItem]:
    """Flags by severity, then the tasks that are no flag's own."""
    tasks = queues.of_client(head.client.id, actor=actor)
    names = staff.names(task.assignee_id for task in tasks)
    review = next((task for task in tasks if task.queue == "client-review"), None)
    flags = queries.flags_of(head.client.id)
    items = []
    for flag in flags:
        task = review if flag.severity >= Severity.CHECK else None
        settled_by_hand = head.may_settle and flag.code != FlagCode.RISK_PROHIBITED
        items.append(
            OpenItem(
                badge=severity_badge(flag.severity),
                what=flag.label,
                about=_about(flag.field),
                owner=_owner(task, actor, names) if task else None,
                due=task.due_at if task else None,
                flag=flag if settled_by_hand else None,
            )
        )
    for task in tasks:
        if task is review and flags:
            continue
        what = _TASKS.get((task.queue, task.cause)) or in_words(task.queue.replace("-", " "))
        items.append(OpenItem(_urgency(task), what, "", _owner(task, actor, names), task.due_at, None))
    return items


def _owner(task: QueueItem, actor: Actor, names: dict[UUID, str]) -> str:
    if task.assignee_id is None:
        return "unassigned"
    return "you" if task.assignee_id == actor.id else names.get(task.assignee_id, "a colleague")


def _urgency(task: QueueItem) -> Badge:
    moment = clock.now()
    if task.due_at < moment:
        return Badge("stop", "Late")
    days = calendar()
    return Badge("wait", "Due today") if days.today(task.due_at) == days.today(moment) else Badge("neutral", "Task")
