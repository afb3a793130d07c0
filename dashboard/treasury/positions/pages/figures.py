"""The rows behind a figure, with their sum."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.errors import NotFound
from dashboard.money import Money
from dashboard.treasury.positions.pages import naming
from dashboard.treasury.positions.pages.blueprint import treasury
from dashboard.treasury.positions.pages.naming import day_of, pair_of
from dashboard.treasury.positions.queries import rows, standing
from dashboard.treasury.positions.queries.standing import Position
from dashboard.treasury.positions.services import evidence
from dashboard.treasury.positions.vocabulary import FIGURE_LABELS, Figure
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Listing
from dashboard.web.paging import DEFAULT_PAGE_SIZE, seal, unseal
from dashboard.web.paging import Position as Place


def _asked(figure: str) -> tuple[Figure, Position]:
    """The figure and the position that the address names. Raises Invalid, NotFound."""
    if figure not in set(Figure):
        raise NotFound("There is no such figure.", code="figureNotFound")
    pool, currency = pair_of(request.args)
    day = day_of(request.args.get("day"))
    if day is None:
        raise NotFound("No business day has ended yet.", code="dayNotFound")
    return Figure(figure), standing.one(pool, currency, day)


@treasury.get("/figures/<figure>")
@requires(Permission.TREASURY_READ)
def figure_rows(figure: str) -> Response:
    """One page of the rows behind a figure."""
    wanted, position = _asked(figure)
    figures = position.figures
    bound = ["figure", wanted.value, figures.pool, figures.currency, figures.day.isoformat()]
    place = unseal(request.args.get("cursor"), bound=bound)
    after = place.key[0] if place else None
    paged = rows.paged(wanted)
    found = rows.behind(wanted, figures, after=after, limit=DEFAULT_PAGE_SIZE + 1)
    shown = found[:DEFAULT_PAGE_SIZE] if paged else found
    more = paged and len(found) > DEFAULT_PAGE_SIZE
    here: dict[str, Any] = {
        "figure": wanted.value, "pool": figures.pool, "currency": figures.currency, "day": figures.day.isoformat(),
    }  # fmt: skip
    value = rows.total(wanted, figures)
    older = seal(Place([shown[-1].key]), bound=bound) if more else None
    known = [row.amount.minor_units for row in shown if row.amount is not None]
    return make_response(
        render_template(
            "treasury/positions/figure.html",
            label=FIGURE_LABELS[wanted],
            position=position,
            value=None if value is None else Money(value, figures.currency),
            rows=shown,
            complete=not more and after is None,
            together=Money(sum(known), figures.currency) if not more and after is None else None,
            older=url_for("treasury.figure_rows", **here, cursor=older) if older else None,
            first=url_for("treasury.figure_rows", **here) if after else None,
            here=here,
            figure=naming.figure,
            in_words=naming.in_words,
            pool_label=naming.pool_label,
        )
    )


@treasury.get("/figures/<figure>/export")
@downloads(filters=("day", "pool", "currency"))
@requires(Permission.TREASURY_READ)
def figure_export(figure: str) -> Response:
    """All rows behind a figure as a file, with the figure in its head."""
    wanted, position = _asked(figure)
    form = exports.Format.named(request.args.get("format", "csv"))
    figures = position.figures
    value = rows.total(wanted, figures)
    about = exports.about(
        FIGURE_LABELS[wanted],
        filters=[
            ("Pool", naming.pool_label(figures.pool)), ("Currency", figures.currency.upper()),
            ("Business day", naming.in_words(figures.day)),
        ],
        facts=[("Figure", "no data" if value is None else str(Money(value, figures.currency)))],
        by=current_actor().name,
    )  # fmt: skip
    return exports.answer(
        Listing(about, evidence.ROW_COLUMNS),
        lambda: (evidence.row_of(row) for row in evidence.behind(wanted, position)),
        form,
    )
