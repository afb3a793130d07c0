"""Periodic reviews: the list with its filters, and the same as a file.

Who may not see why a client is blocked sees none of it: a late review beside a new block would tell the reason.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, render_template, request, url_for

from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import queries as clients
from dashboard.clients import reviewing
from dashboard.clients.badges import status_badge
from dashboard.clients.calendar import calendar
from dashboard.clients.reviewing import Page, ReviewRow
from dashboard.clients.vocabulary import Risk
from dashboard.errors import Invalid
from dashboard.onboarding.reviews import report
from dashboard.onboarding.reviews.query import NOTHING, RISKS, WHENS, ReviewQuery
from dashboard.staff import queries as staff
from dashboard.views.lists import downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Format, Listing, TooManyRows
from dashboard.web.htmx import page_or_fragment, wants_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, Position, seal, unseal

reviews = Blueprint("reviews", __name__, url_prefix="/onboarding/reviews")


@reviews.get("")
@listed(
    "reviews", "Periodic reviews", reads=lambda values, _actor: ReviewQuery.read(values),
    keeps=("when", "risk", "until"),
)  # fmt: skip
@requires(Permission.CLIENTS_READ_RESTRICTED, act="open periodic reviews")
def listing() -> Response:
    """Whom it is to review next; for HTMX the list alone."""
    asked = ReviewQuery.read(request.args)
    if asked.errors:
        return _answer(asked, status=422)
    try:
        position = unseal(asked.cursor, bound=asked.bound)
    except InvalidCursor:
        return _answer(asked, status=400, cursor_problem=True)
    page = reviewing.find(
        asked.chosen,
        size=DEFAULT_PAGE_SIZE,
        after=position.key if position else None,
        backwards=position.backwards if position else False,
    )
    earlier, later = _edges(asked, page, position)
    return _answer(asked, rows=page.rows, earlier=earlier, later=later)


def _edges(asked: ReviewQuery, page: Page, position: Position | None) -> tuple[str | None, str | None]:
    """Addresses of the pages before and after this one."""
    if not page.rows:
        return None, None
    backwards = position is not None and position.backwards
    has_earlier = page.more if backwards else position is not None
    has_later = backwards or page.more

    def address(row: ReviewRow, back: bool) -> str:
        return url_for(".listing") + asked.query(cursor=seal(Position(row.key, backwards=back), bound=asked.bound))

    return (
        address(page.rows[0], True) if has_earlier else None,
        address(page.rows[-1], False) if has_later else None,
    )


def _answer(asked: ReviewQuery, *, status: int = 200, rows: list[ReviewRow] | None = None, **context: Any) -> Response:
    base = url_for(".listing")
    shown, actor = rows or [], current_actor()
    names = staff.names(row.assignee_id for row in shown)
    freezes = clients.freezes(row.client for row in shown)
    response = page_or_fragment(
        "onboarding/reviews.html",
        "onboarding/_reviews.html",
        status=status,
        asked=asked,
        rows=[
            {
                "row": row,
                "status": status_badge(row.client, freezes.get(row.client.id)),
                "risk": Risk(row.plan.risk_level).label,
                "state": report.state(row),
                "overdue": report.overdue(row),
                "queued_on": calendar().today(row.queued_at) if row.queued_at else None,
                "assignee": _assignee(row.assignee_id, actor, names),
            }
            for row in shown
        ],
        views=[
            {"label": label, "url": base + asked.query(when=when), "current": when == asked.values.get("when", "")}
            for when, label in WHENS
        ],
        risks=RISKS,
        base=base,
        nothing=NOTHING.get(asked.values.get("when", "")) if asked.values.keys() == {"when"} else None,
        part=wants_fragment(),
        may_review=actor.may(Permission.CLIENTS_REVIEW),
        **context,
    )
    if wants_fragment() and status == 200 and not asked.cursor:
        # the address without the empty filters that a form sends
        response.headers["HX-Push-Url"] = base + asked.query()
    return response


def _assignee(assignee_id: UUID | None, actor: Actor, names: dict[UUID, str]) -> str | None:
    if assignee_id is None:
        return None
    return "you" if assignee_id == actor.id else names.get(assignee_id)


@reviews.get("/export/<form>")
@downloads("reviews")
@requires(Permission.CLIENTS_READ_RESTRICTED, act="open periodic reviews")
def export(form: str) -> Response:
    """Exactly what the filters show, all pages of it, as `csv` or `xlsx`."""
    asked = ReviewQuery.read(request.args)
    if form not in {Format.CSV, Format.XLSX}:
        raise Invalid.one("format", "Choose csv or xlsx.", "enum")
    if asked.errors:
        return _answer(asked, status=422)
    listed = Listing(
        exports.about("Periodic reviews", filters=asked.in_words(), by=current_actor().name), report.COLUMNS
    )
    try:
        return exports.answer(listed, lambda: report.rows(asked.chosen), Format(form))
    except TooManyRows as refusal:
        page = render_template(
            "ledger/export_refused.html", message=refusal.message, back=url_for(".listing") + asked.query(),
            as_csv=url_for(".export", form="csv") + asked.query(), back_label="Reviews",
        )  # fmt: skip
        return Response(page, status=422)
