"""Home: what must be decided today, by me."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals import queries as approvals
from dashboard.approvals.kinds import kind_of
from dashboard.approvals.rows import RequestRow, rows
from dashboard.audit import sealing
from dashboard.clients import queries as clients
from dashboard.exports import queries as exports
from dashboard.home import finding, overview, palette, treasury, worklist
from dashboard.home.overview import APPROVALS, Due, Line
from dashboard.settings import Settings
from dashboard.web.htmx import page_or_fragment

home = Blueprint("home", __name__)

#: requests of one's own that home lists, and how far it counts them
ASKED_SHOWN = 10
ASKED_COUNTED = 100


@home.get("/search")
@requires(Permission.CLIENTS_READ)
def search() -> AnyResponse:
    """Where the text of the top bar is found."""
    return redirect(finding.place(request.args.get("text", "")[:200], by=current_actor()))


@home.get("/find")
@requires(Permission.OWN_WORK)
def find() -> Response:
    """Pages, acts and objects that fit a few words: what the palette shows, and a page without scripts."""
    text = palette.clean(request.args.get("text", ""))
    groups = palette.find(text, by=current_actor())
    found = sum(len(group.entries) for group in groups if group.key != "search")
    return page_or_fragment("home/find.html", "home/_palette.html", text=text, groups=groups, found=found)


def _idle() -> timedelta:
    settings: Settings = current_app.extensions["countinghouse.settings"]
    return timedelta(minutes=settings.session_idle_minutes)


def queue_url(key: str, **filters: Any) -> str:
    """The list behind a figure of a queue."""
    if key == APPROVALS:
        return url_for("approvals.index", view="me", **filters)
    if key in treasury.LABELS:
        return treasury.url(key)
    page = worklist.QUEUES[key].page
    if page is not None and not filters:
        return page
    return url_for("queues.show", queue=key, **filters)


def _links(line: Line) -> dict[str, str]:
    if line.key == APPROVALS:
        return {
            "all": queue_url(APPROVALS),
            "mine": queue_url(APPROVALS, who="me"),
            "unassigned": queue_url(APPROVALS, who="none"),
            "due": queue_url(APPROVALS, due="today"),
        }
    return {
        "all": queue_url(line.key),
        "mine": queue_url(line.key, who="me"),
        "unassigned": queue_url(line.key, who="none"),
        "late": queue_url(line.key, late=1),
        "due": queue_url(line.key, due="today"),
    }


def _due_rows(found: list[Due]) -> list[dict[str, object]]:
    """Items and requests in one list, in their order."""
    actor = current_actor()
    items = [due.item for due in found if due.item]
    work = {row.id: row for row in worklist.rows(items, actor=actor, with_blocks=False)}
    listed: list[dict[str, object]] = []
    for due in found:
        if due.item is not None:
            row = work[due.item.id]
            listed.append(
                {
                    "at": due.at,
                    "queue": worklist.QUEUES[row.queue].one,
                    "about": row.about,
                    "why": row.why,
                    "url": row.url,
                }
            )
        elif due.request is not None:
            kind = kind_of(due.request.kind)
            listed.append(
                {
                    "at": due.at,
                    "queue": "Approval",
                    "about": kind.about(due.request.subject),
                    "why": "",
                    "url": url_for("approvals.show", request_id=due.request.id),
                }
            )
    return listed


def _asked() -> tuple[list[RequestRow], str]:
    """The first of one's own requests, and how many there are in words."""
    actor = current_actor()
    if not actor.may(Permission.APPROVALS_READ):
        return [], ""
    found = approvals.asked_by(actor, limit=ASKED_COUNTED + 1)
    counted = f"more than {ASKED_COUNTED}" if len(found) > ASKED_COUNTED else str(len(found))
    return rows(found[:ASKED_SHOWN], actor=actor, idle=_idle()), counted


@home.get("/")
@requires(Permission.OWN_WORK)
def show() -> str:
    """The overview. A role without a queue gets a page that says so."""
    actor = current_actor()
    counted = overview.figures(actor)
    asked, asked_count = _asked()
    watches_seals = actor.may(Permission.AUDIT_READ) or actor.may(Permission.JOBS_READ)
    quiet = counted.complete and not any(line.count and line.count.next_due_at for line in counted.lines)
    return render_template(
        "home/show.html",
        exported=exports.to_take(by=actor),
        figures=counted,
        lines=[(line, _links(line)) for line in counted.lines],
        yours=_due_rows(overview.first_due(actor)) if counted.lines else [],
        asked=asked,
        asked_count=asked_count,
        panel=overview.or_unknown(lambda: treasury.panel(actor)),
        may_read_treasury=actor.may(Permission.TREASURY_READ),
        panel_first=actor.may(Permission.TREASURY_WRITE),
        watches_seals=watches_seals,
        seals=overview.or_unknown(sealing.queue) if watches_seals else None,
        role_label=ROLES[Role(actor.role)].label,
        may_read_clients=actor.may(Permission.CLIENTS_READ),
        may_read_approvals=actor.may(Permission.APPROVALS_READ),
        may_create=actor.may(Permission.CLIENTS_WRITE),
        first_day=quiet and actor.may(Permission.CLIENTS_READ) and not clients.any_client(),
    )


@home.get("/figures")
@requires(Permission.OWN_WORK)
def figures() -> str:
    """The figures alone, each for its own place: rows stay where they are while somebody points at one."""
    counted = overview.figures(current_actor())
    lines = [(line, _links(line)) for line in counted.lines]
    return render_template("home/_figures.html", figures=counted, lines=lines)
