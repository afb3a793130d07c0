"""Pages of exports that are made in the background: the offer, asking, progress, canceling, the file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, Response, current_app, flash, g, make_response, render_template, request, url_for
from itsdangerous import BadData, URLSafeTimedSerializer

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.guard import access_of, current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Forbidden, Invalid, NotFound
from dashboard.exports import queries, services, store
from dashboard.exports.queries import Found
from dashboard.exports.services import Wanted
from dashboard.web.exports import Listing, handed_out
from dashboard.web.htmx import go, page_or_fragment

exports = Blueprint("exports", __name__, url_prefix="/exports")

#: an offer that stood open for longer is made anew: its list may have changed
OFFERED_FOR = timedelta(hours=12)
BADGES = {
    "queued": ("info", "Waiting"),
    "running": ("info", "Being made"),
    "ready": ("ok", "Ready"),
    "failed": ("stop", "Failed"),
    "canceled": ("neutral", "Canceled"),
}
#: how often a page asks for progress, by how long the work has been asked for: seconds, and seconds
PACE = ((10, 1), (60, 2), (300, 5))
SLOWEST = 15


#: names of the filters that this request sets, without values; a name that the endpoint does not know is counted only
_installed: dict[str, Callable[[str], list[str]]] = {}


def learn_filters(of_request: Callable[[str], list[str]]) -> None:
    """Who tells which filters an endpoint was asked with: known names go into evidence, invented ones do not."""
    _installed["filters"] = of_request


def _tickets() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="list export")


def offer(listing: Listing, stem: str, expected: int | None) -> Response | None:
    """The page that offers to make this list in the background; None where no person asks, who could come for it.

    What it offers is signed: only a list that a view has offered to this person can be asked for.
    """
    actor: Actor | None = g.get("actor")
    if actor is None or actor.staff_id is None or request.endpoint is None:
        return None
    address = request.full_path.rstrip("?")
    filters = _installed["filters"](request.endpoint)
    objects = [value for value in (request.view_args or {}).values() if isinstance(value, UUID)]
    ticket = {
        "by": str(actor.staff_id), "endpoint": request.endpoint, "address": address, "title": stem,
        "filters": filters, "object": str(objects[0]) if objects else None,
    }  # fmt: skip
    page = render_template(
        "exports/offer.html", about=listing.about, expected=expected, ticket=_tickets().dumps(ticket),
        at_once=current_app.extensions["countinghouse.settings"].export_xlsx_at_once, hours=_hours(),
        back=_back(), as_csv=_as_csv(),
    )  # fmt: skip
    return make_response(page)


def _hours() -> int:
    return int(services.KEPT.total_seconds() // 3600)


def _back() -> str:
    """The page that the person came from, within the house."""
    came = request.referrer or ""
    return came if came.startswith(request.host_url) else url_for("home.show")


def _as_csv() -> str | None:
    """The same export as CSV: the format stands in the path, or among the filters."""
    arguments: dict[str, Any] = dict(request.view_args or {})
    query = list(request.args.items(multi=True))
    if "form" in arguments:
        arguments["form"] = "csv"
    elif "format" in request.args:
        query = [(name, "csv" if name == "format" else value) for name, value in query]
    else:
        return None
    # names of arguments are the person's: among those of `url_for` some would mean something else
    return url_for(request.endpoint or "", **arguments) + (f"?{urlencode(query)}" if query else "")


def _wanted(ticket: str) -> Wanted:
    """Raises Invalid for what no view has offered to this person."""
    try:
        said = _tickets().loads(ticket, max_age=int(OFFERED_FOR.total_seconds()))
    except BadData:
        said = {}
    if said.get("by") != str(current_actor().staff_id):
        raise Invalid.one("ticket", "This offer is no longer valid. Open the list and export it again.", "invalid")
    return Wanted(
        endpoint=said["endpoint"], title=said["title"], address=said["address"], filters=said["filters"],
        object_id=UUID(said["object"]) if said["object"] else None,
    )  # fmt: skip


def _needs(endpoint: str) -> Permission | None:
    access = access_of(current_app._get_current_object(), endpoint)  # type: ignore[attr-defined]
    return access.permission if access is not None else None


def _pace(found: Found) -> int:
    age = (clock.now() - found.export.asked_at).total_seconds()
    return next((pause for limit, pause in PACE if age < limit), SLOWEST)


def _shown(found: Found) -> dict[str, Any]:
    export, job = found
    return {
        "export": export,
        "job": job,
        "state": found.state,
        "badge": BADGES[found.state],
        "live": found.state in {"queued", "running"},
        "phase": (job.result or {}).get("phase", ""),
        "pace": _pace(found),
        "size": _size(export.bytes),
    }


def _size(found: int | None) -> str:
    """820 kB; 4.1 MB"""
    if found is None:
        return ""
    return f"{max(found // 1000, 1)} kB" if found < 1_000_000 else f"{found / 1_000_000:.1f} MB"


@exports.get("")
@requires(Permission.OWN_WORK)
def listing() -> Response:
    """One's own exports, newest first."""
    return _listing()


def _listing(*, problem: str | None = None, status: int = 200) -> Response:
    rows = [_shown(found) for found in queries.own(by=current_actor())]
    live = [row["pace"] for row in rows if row["live"]]
    return page_or_fragment(
        "exports/listing.html", "exports/_list.html", status=status, rows=rows, problem=problem, hours=_hours(),
        pace=min(live) if live else None,
    )  # fmt: skip


@exports.post("")
@requires(Permission.OWN_WORK)
def ask() -> Any:
    """Have a list made in the background; the same one, while it is being made, is where one is led to."""
    actor = current_actor()
    wanted = _wanted(request.form.get("ticket", ""))
    needed = _needs(wanted.endpoint)
    if needed is None:
        raise Forbidden("This list is not exported.")
    actor.require(needed)
    try:
        with transaction():
            export_id = services.ask(wanted, by=actor).id
    except Conflict as refusal:
        return _listing(problem=refusal.message, status=refusal.status)
    return go(url_for(".show", export_id=export_id))


@exports.get("/<uuid:export_id>")
@requires(Permission.OWN_WORK)
def show(export_id: UUID) -> Response:
    """How far it is, and the file in the end."""
    row = _shown(queries.get(export_id, by=current_actor()))
    return page_or_fragment("exports/show.html", "exports/_progress.html", row=row, hours=_hours())


@exports.post("/<uuid:export_id>/cancel")
@requires(Permission.OWN_WORK)
def cancel(export_id: UUID) -> Any:
    """What waits is canceled at once, what is being made at its next step."""
    try:
        with transaction():
            services.cancel(export_id, by=current_actor())
    except Conflict as refusal:
        flash(refusal.message, "info")
    return go(url_for(".show", export_id=export_id))


@exports.get("/<uuid:export_id>/file")
@requires(Permission.OWN_WORK)
def download(export_id: UUID) -> Response:
    """The file, only to who asked for it, and only while this person may read all that is in it."""
    actor = current_actor()
    needed = _needs(queries.get(export_id, by=actor).export.endpoint)
    with transaction():
        export = services.take(export_id, needs=needed, by=actor).export
        path: Path = store.path_of(export.file or "")
        try:
            file = path.open("rb")
        except OSError:
            raise NotFound("The file is gone. Export the list again.", code="fileGone") from None
    return handed_out(file, export.title)
