"""The list of clients: filters, sort and place all in the URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, request, url_for

from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import countries, queries, search
from dashboard.clients.badges import status_badge
from dashboard.clients.forms.listing import FLAG_CHOICES, OPEN_FLAG_CHOICES, RISKS, STATUSES, TYPES, ListQuery
from dashboard.clients.models import Client
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.vocabulary import Risk, Severity
from dashboard.settings import Settings
from dashboard.views.lists import listed
from dashboard.web.htmx import page_or_fragment, wants_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, Position, seal, unseal

#: ready-made views: label and query string
VIEWS = (("All", ""), ("To review", "flag=check"), ("Blocked", "status=blocked"), ("Inactive", "status=inactive"))
COUNT_LIMIT = 1000


def _reads(values: Mapping[str, str], actor: Actor) -> ListQuery:
    return ListQuery.read(values, sees_restricted=actor.sees_restricted)


@clients.get("")
@listed(
    "clients", "Clients", reads=_reads, leaves=("text",),
    keeps=("status", "type", "risk", "country", "flag", "severity", "created_from", "created_to", "sort", "dir"),
)  # fmt: skip
@requires(Permission.CLIENTS_READ)
def listing() -> Response:
    """One page of clients; for HTMX the list alone."""
    sees_restricted = current_actor().sees_restricted
    asked = ListQuery.read(request.args, sees_restricted=sees_restricted)
    if asked.errors:
        return _answer(asked, status=422)
    try:
        position = unseal(asked.cursor, bound=asked.bound)
    except InvalidCursor as refusal:
        return _answer(asked, status=400, cursor_problem=refusal.message)
    settings: Settings = current_app.extensions["countinghouse.settings"]
    page = search.find(
        asked.chosen,
        order=asked.order,
        zone=settings.zone,
        size=DEFAULT_PAGE_SIZE,
        after=position.key if position else None,
        backwards=position.backwards if position else False,
    )
    earlier, later = _edges(asked, page, position)
    freezes = queries.freezes(page.rows)
    return _answer(
        asked,
        rows=[(row, status_badge(row, freezes.get(row.id)), Risk(row.risk_level)) for row in page.rows],
        open_flags=queries.flag_counts(page.rows, sees_restricted=sees_restricted),
        earlier=earlier,
        later=later,
        nothing_at_all=not page.rows and not asked.set_count and not queries.any_client(),
    )


def _edges(asked: ListQuery, page: search.Page, position: Position | None) -> tuple[str | None, str | None]:
    """Addresses of the pages before and after this one."""
    if not page.rows:
        return None, None
    backwards = position is not None and position.backwards
    has_earlier = page.more if backwards else position is not None
    has_later = True if backwards else page.more

    def address(row: Any, back: bool) -> str:
        cursor = seal(Position(asked.order.key_of(row), backwards=back), bound=asked.bound)
        return url_for("clients.listing") + asked.query(cursor=cursor)

    return (
        address(page.rows[0], True) if has_earlier else None,
        address(page.rows[-1], False) if has_later else None,
    )


def _count_of(query: str, *, sees_restricted: bool) -> str | None:
    """The figure of a view that is somebody's work, on an index, as the rail counts it; None for the others."""
    if query == "flag=check":
        counted = queries.flagged_at_least(Severity.CHECK.value, sees_restricted=sees_restricted)
    elif query == "status=blocked":
        counted = Client.status == "blocked"
    else:
        return None
    found = queries.count_at_most(counted, COUNT_LIMIT)
    return f"{found:,}{'+' if found >= COUNT_LIMIT else ''}"


def _answer(asked: ListQuery, *, status: int = 200, **context: Any) -> Response:
    base = url_for("clients.listing")
    sees_restricted = current_actor().sees_restricted
    chosen_view = "&".join(f"{name}={value}" for name, value in asked.values.items())
    known = [("", "Any"), *countries.names().items()]
    country = (asked.values.get("country") or "").upper()
    if country and country not in countries.names():
        known.insert(1, (country, country))
    response = page_or_fragment(
        "clients/listing.html",
        "clients/_list.html",
        status=status,
        asked=asked,
        views=[
            {
                "label": label,
                "url": f"{base}?{query}" if query else base,
                "current": query == chosen_view,
                "count": _count_of(query, sees_restricted=sees_restricted),
            }
            for label, query in VIEWS
        ],
        choices={
            "status": STATUSES,
            "type": TYPES,
            "risk": RISKS,
            "country": known,
            "flag": FLAG_CHOICES if sees_restricted else OPEN_FLAG_CHOICES,
        },
        country=country,
        may_write=current_actor().may(Permission.CLIENTS_WRITE),
        base=base,
        part=wants_fragment(),
        **context,
    )
    if wants_fragment() and status == 200 and not asked.cursor:
        # the address without the empty filters that a form sends
        response.headers["HX-Push-Url"] = base + asked.query()
    return response
