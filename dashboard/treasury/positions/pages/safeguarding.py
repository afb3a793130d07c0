"""Safeguarding: the three checks of a day with both sides, what was done, versions with their evidence; months."""

from __future__ import annotations

import calendar
from datetime import date
from typing import Any

from flask import Response, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.errors import Invalid
from dashboard.treasury.days import queries as days
from dashboard.treasury.positions.pages import naming
from dashboard.treasury.positions.pages.blueprint import treasury
from dashboard.treasury.positions.pages.naming import day_of, figure
from dashboard.treasury.positions.pages.summary import address
from dashboard.treasury.positions.queries import blockers, live, rows, standing, trend
from dashboard.treasury.positions.queries.standing import Position
from dashboard.treasury.positions.services import acting, evidence
from dashboard.treasury.positions.vocabulary import (
    ABOUT_LABELS,
    ACTION_LABELS,
    CHECK_LABELS,
    ActionAbout,
    ActionKind,
    Check,
    Figure,
)
from dashboard.treasury.vocabulary import POOL_LABELS, Pool
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Kind, Listing

#: lines of the two sides: figure, and the live figure beside it
SIDES = (
    (Figure.CLIENTS, "client"), (Figure.UNRECOGNIZED, "unrecognized"), (Figure.RECEIVED, None), (Figure.SENT, None),
    (Figure.REQUIREMENT, None), (Figure.AT_BANK, None), (Figure.OTHER, None), (Figure.RESOURCE, None),
    (Figure.EXCESS, None),
)  # fmt: skip
APART = (
    (Figure.FROZEN, None),
    (Figure.NEGATIVE, "negative"),
    (Figure.LEDGER, "ledger"),
    (Figure.DIFFERENCE, None),
    (Figure.UNEXPLAINED, None),
    (Figure.UNMATCHED, None),
    (Figure.LYING, None),
    (Figure.LATE, None),
)
#: what an excess is made of
WHOSE = (
    Figure.FEES, Figure.INCOME, Figure.OWN, Figure.FX, Figure.RECEIVABLE, Figure.NEGATIVE, Figure.OTHER,
    Figure.LYING, Figure.EXPLAINED, Figure.REST,
)  # fmt: skip


def _chosen(positions: list[Position]) -> Position | None:
    pool, currency = request.args.get("pool"), request.args.get("currency")
    if not pool and not currency:
        return positions[0] if positions else None
    pair = naming.pair_of(request.args)
    return next((one for one in positions if one.pair == pair), None)


@treasury.get("/safeguarding")
@requires(Permission.TREASURY_READ)
def safeguarding() -> Response:
    """One pool and currency of a day; those beside it as links."""
    day, actor = day_of(request.args.get("day")), current_actor()
    positions = standing.of_day(day) if day else []
    position = _chosen(positions)
    context: dict[str, Any] = {}
    if position is not None and day is not None:
        pool, currency = position.pair
        versions = days.versions(pool, currency, day)
        packs = evidence.of_days(day, day)
        figures = position.figures
        context = {
            "sides": [(one, rows.total(one, figures), live_one) for one, live_one in SIDES],
            "apart": [(one, rows.total(one, figures), live_one) for one, live_one in APART],
            "whose": [(one, rows.total(one, figures)) for one in WHOSE] if figures.house else [],
            "checks": [
                (CHECK_LABELS[check], naming.check_result(result, position))
                for check, result in (
                    (Check.INTERNAL, figures.internal), (Check.SEGREGATION, figures.segregation),
                    (Check.EXTERNAL, figures.external),
                )
            ],
            "now": live.now().get(position.pair),
            "actions": acting.actions(pool, currency, day),
            "blockers": blockers.of(position),
            "versions": [(one, packs.get(one.id, [])) for one in versions],
        }  # fmt: skip
    return make_response(
        render_template(
            "treasury/positions/safeguarding.html",
            day=day,
            positions=[(one, naming.headline(one)) for one in positions],
            position=position,
            point=standing.point(day) if day else None,
            days=standing.closed_days(10),
            months=trend.months(),
            figure=figure,
            address=address,
            Figure=Figure,
            labels=naming.pool_label,
            figure_labels=naming.figure_label,
            action_labels=ACTION_LABELS,
            about_labels=ABOUT_LABELS,
            abouts=list(ActionAbout),
            kinds=list(ActionKind),
            in_words=naming.in_words,
            may_write=actor.may(Permission.TREASURY_WRITE),
            may_sign=actor.may(Permission.TREASURY_SIGN),
            me=actor.staff_id,
            **context,
        )
    )


def _month_of(text: str | None) -> tuple[date, date]:
    """First and last day of the month that an address names. Raises Invalid."""
    try:
        first = date.fromisoformat(f"{text}-01") if text and len(text) == 7 else None
    except ValueError:
        first = None
    if first is None:
        raise Invalid.one("month", "Write a month like 2026-03.", "month")
    return first, first.replace(day=calendar.monthrange(first.year, first.month)[1])


COLUMNS = (
    Column("pool", "Pool"),
    Column("currency", "Currency", share=0.4),
    Column("days", "Days prepared", Kind.NUMBER),
    Column("signed", "Days signed", Kind.NUMBER),
    Column("average_requirement", "Average requirement", Kind.AMOUNT),
    Column("highest_requirement", "Highest requirement", Kind.AMOUNT),
    Column("average_resource", "Average resource", Kind.AMOUNT),
    Column("lowest_excess", "Lowest excess", Kind.AMOUNT),
    Column("days_short", "Days short", Kind.NUMBER),
    Column("days_unknown", "Days without data", Kind.NUMBER),
    Column("days_late", "Days not segregated in time", Kind.NUMBER),
    Column("highest_unrecognized", "Highest unrecognized", Kind.AMOUNT),
    Column("closing_requirement", "Requirement at the end", Kind.AMOUNT),
    Column("closing_resource", "Resource at the end", Kind.AMOUNT),
)


@treasury.get("/safeguarding/months")
@downloads(filters=("month", "pool", "currency"))
@requires(Permission.TREASURY_READ)
def month() -> Response:
    """Totals of a month for the return, by pool and currency; with `format` as a file."""
    known = trend.months()
    text = request.args.get("month") or (f"{known[0]:%Y-%m}" if known else None)
    first, last = _month_of(text) if text else (None, None)
    found = trend.month(first, last) if first and last else []
    if request.args.get("format") and first:
        return _month_file(found, first)
    return make_response(
        render_template(
            "treasury/positions/months.html", months=known, first=first, totals=found, figure=figure,
            labels=naming.pool_label,
            export=url_for("treasury.month", month=f"{first:%Y-%m}") if first else None,
        )
    )  # fmt: skip


def _month_file(found: list[trend.MonthTotal], first: date) -> Response:
    amounts = (
        "average_requirement", "highest_requirement", "average_resource", "lowest_excess", "highest_unrecognized",
        "closing_requirement", "closing_resource",
    )  # fmt: skip
    lines: list[dict[str, object]] = [
        {
            "pool": POOL_LABELS[Pool(one.pool)], "currency": one.currency.upper(), "days": one.days,
            "signed": one.signed, "days_short": one.days_short, "days_unknown": one.days_unknown,
            "days_late": one.days_late, **{key: rows.money(getattr(one, key), one.currency) for key in amounts},
        }
        for one in found
    ]  # fmt: skip
    about = exports.about(
        f"Safeguarding {first:%B %Y}",
        filters=[("Month", f"{first:%B %Y}"), ("Days", "prepared or signed")],
        by=current_actor().name,
    )
    form = exports.Format.named(request.args["format"])
    return exports.answer(Listing(about, COLUMNS), lambda: lines, form, expected=len(lines))
