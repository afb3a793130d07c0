"""The treasury summary: do we hold what we owe?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Response, make_response, render_template, request, url_for

from dashboard import clock
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.errors import Invalid
from dashboard.treasury.positions.chart import drawn
from dashboard.treasury.positions.pages import naming
from dashboard.treasury.positions.pages.blueprint import treasury
from dashboard.treasury.positions.pages.naming import Shown, day_of, figure
from dashboard.treasury.positions.queries import blockers, house, live, projection, rows, standing, trend
from dashboard.treasury.positions.queries.blockers import Blocker
from dashboard.treasury.positions.queries.figures import AccountFigures
from dashboard.treasury.positions.queries.standing import Position
from dashboard.treasury.positions.queries.worth import exposure, worth
from dashboard.treasury.positions.vocabulary import Figure
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.vocabulary import POOL_LABELS, PURPOSE_LABELS, DayState, Pool, Purpose, TieOut
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Kind, Listing

TABS = (("position", "Position"), ("projection", "Projection"), ("trend", "Trend"), ("now", "Now, not reconciled"))
PERIODS = (7, 30, 90)


@dataclass(frozen=True)
class StatementSaid:
    """When the last statement of a position came, or what is missing of it. `late_since`: when it was due. `age`: since
    the day whose end the oldest is of, in business days. `tie_out`: how the worst of them ties out."""

    at: datetime | None
    missing: bool
    late_since: datetime | None
    age: int | None = None
    tie_out: str | None = None


@dataclass(frozen=True)
class AccountLine:
    """One bank account of a position."""

    view: BankAccountView
    figures: AccountFigures
    purpose: str
    #: of its statement, in business days
    age: int | None


@dataclass(frozen=True)
class Line:
    """One position as the table shows it."""

    position: Position
    head: Shown
    state: Shown
    blockers: Sequence[Blocker]
    statement: StatementSaid
    accounts: Sequence[AccountLine]
    key: str

    @property
    def may_sign(self) -> bool:
        return self.position.state == DayState.PREPARED and not self.blockers


def due_at(view: BankAccountView, day: date) -> datetime | None:
    """When the statement of a day is expected; None: the bank gives none."""
    if view.expected_at is None:
        return None
    return datetime.combine(day + timedelta(days=1), view.expected_at, clock.calendar().zone)


def _statement(position: Position, views: Mapping[UUID, BankAccountView]) -> StatementSaid:
    day, now = position.figures.day, clock.now()
    missing = [one for one in position.figures.accounts if one.statement is None]
    if missing or not position.figures.accounts:
        due = [at for one in missing if (at := due_at(views[one.bank_account_id], day)) is not None and at < now]
        return StatementSaid(None, True, min(due, default=None))
    came = [one.statement_at for one in position.figures.accounts if one.statement_at]
    oldest = min((one.statement_day for one in position.figures.accounts if one.statement_day), default=None)
    results = {one.tie_out for one in position.figures.accounts}
    worst = next((one.value for one in (TieOut.FAILED, TieOut.UNKNOWN, TieOut.PASSED) if one in results), None)
    return StatementSaid(max(came, default=None), False, None, age_of(oldest), worst)


def age_of(day: date | None) -> int | None:
    """Business days since the end of a day, today included; None without a day."""
    if day is None:
        return None
    return clock.calendar().days_between(day, max(day, clock.calendar().today()))


def _lines(positions: Sequence[Position], day: date) -> list[Line]:
    views = {view.id: view for view in register.accounts(include_closed=True)}
    standing_against = blockers.of_all(positions)
    found = []
    for position in positions:
        stops = standing_against[position.pair]
        accounts = [
            AccountLine(
                views[one.bank_account_id], one, PURPOSE_LABELS[Purpose(one.purpose)], age_of(one.statement_day)
            )
            for one in position.figures.accounts
        ]
        found.append(
            Line(
                position, naming.headline(position), naming.state(position, bool(stops)), stops,
                _statement(position, views), accounts, f"{position.figures.pool}-{position.figures.currency}",
            )
        )  # fmt: skip
    return found


def _tab() -> str:
    wanted = request.args.get("tab", "position")
    if wanted not in dict(TABS):
        raise Invalid.one("tab", f"Choose one of {', '.join(dict(TABS))}.", "enum")
    return wanted


def address(value: Figure, position: Position) -> str:
    """Where the rows behind a figure are."""
    figures = position.figures
    return url_for(
        "treasury.figure_rows", figure=value.value, pool=figures.pool, currency=figures.currency,
        day=figures.day.isoformat(),
    )  # fmt: skip


@treasury.get("")
@requires(Permission.TREASURY_READ)
def summary() -> Response:
    """Positions of the last business day that ended, or of `day`; tabs Position, Projection, Trend, Now."""
    tab, day = _tab(), day_of(request.args.get("day"))
    actor = current_actor()
    context: dict[str, Any] = {"tab": tab, "day": day}
    positions = standing.of_day(day) if day else []
    if day and tab == "position":
        own = house.own_accounts(register.accounts(include_closed=True), day)
        context |= {"worth": worth(positions), "exposure": exposure(positions, own), "own": own, "age_of": age_of}
        context["days"] = standing.closed_days(10)
    elif day and tab == "projection":
        context["projections"] = _projections(positions, day)
    elif day and tab == "trend":
        context |= _trend(positions, day)
    elif tab == "now":
        context["now"] = list(live.now().values())
    lines = _lines(positions, day) if day else []
    named = day.isoformat() if day and request.args.get("day") else None
    tabs = [
        {
            "label": label,
            "current": key == tab,
            "url": url_for("treasury.summary", tab=key if key != "position" else None, day=named),
        }
        for key, label in TABS
    ]
    return make_response(
        render_template(
            "treasury/positions/summary.html",
            lines=lines,
            pools=[(pool, POOL_LABELS[pool], [line for line in lines if line.position.figures.pool == pool])
                   for pool in Pool],
            tabs=tabs,
            ready=sum(line.state.word in {"Ready", "Signed"} or line.may_sign for line in lines),
            opened=request.args.get("open", ""),
            point=standing.point(day) if day else None,
            as_of=min((line.position.computed_at for line in lines), default=clock.now()),
            figure=figure,
            address=address,
            total=rows.total,
            Figure=Figure,
            in_words=naming.in_words,
            why_unknown=naming.why_unknown,
            why_excess=naming.why_excess,
            percent=naming.percent,
            pool_labels=POOL_LABELS,
            states=DayState,
            any_registered=bool(lines) or bool(register.pools()),
            may_write=actor.may(Permission.TREASURY_WRITE),
            may_sign=actor.may(Permission.TREASURY_SIGN),
            me=actor.staff_id,
            **context,
        )
    )  # fmt: skip


def _projections(positions: Sequence[Position], day: date) -> list[tuple[Position, list[projection.Projected]]]:
    days = projection.ahead(day)
    held = projection.pending(days)
    return [(one, projection.projected(one, days, held.get(one.pair, []))) for one in positions]


def _trend(positions: Sequence[Position], day: date) -> dict[str, Any]:
    """The chosen pool and currency over the chosen period, as a picture and as a table."""
    pairs = [one.pair for one in positions]
    asked = request.args.get("of", "")
    chosen = next((pair for pair in pairs if f"{pair[0]}-{pair[1]}" == asked), pairs[0] if pairs else None)
    text = request.args.get("period", "30")
    if text not in {str(period) for period in PERIODS}:
        raise Invalid.one("period", "Choose 7, 30 or 90 days.", "enum")
    first = day - timedelta(days=int(text) - 1)
    days = [one for one in standing.closed_days(int(text), before=day + timedelta(days=1)) if one >= first]
    points = trend.points(*chosen, days) if chosen else []
    pictures = drawn(points, chosen[1]) if chosen and any(one.state for one in points) else None
    return {"pairs": pairs, "chosen": chosen, "period": int(text), "periods": PERIODS, "points": points,
            "pictures": pictures}  # fmt: skip


COLUMNS = (
    Column("pool", "Pool"),
    Column("currency", "Currency", share=0.4),
    Column("client", "Client balances", Kind.AMOUNT),
    Column("unrecognized", "Unrecognized", Kind.AMOUNT),
    Column("received", "Received, not booked", Kind.AMOUNT),
    Column("sent", "Sent, not left the bank", Kind.AMOUNT),
    Column("requirement", "Requirement", Kind.AMOUNT),
    Column("at_bank", "At bank", Kind.AMOUNT),
    Column("other", "Other safeguarded", Kind.AMOUNT),
    Column("resource", "At bank and other", Kind.AMOUNT),
    Column("excess", "Excess or shortfall", Kind.AMOUNT),
    Column("percent", "Of the requirement", share=0.5),
    Column("explained", "Excess explained", Kind.AMOUNT),
    Column("sweepable", "To sweep", Kind.AMOUNT),
    Column("unexplained", "Unexplained", Kind.AMOUNT),
    Column("late", "D+1 not segregated", Kind.AMOUNT),
    Column("frozen", "Frozen, part of client balances", Kind.AMOUNT),
    Column("negative", "Negative balances", Kind.AMOUNT),
    Column("breaks", "Breaks"),
    Column("unmatched", "Unmatched lines"),
    Column("unmatched_amount", "Unmatched", Kind.AMOUNT),
    Column("unmatched_since", "Oldest unmatched", Kind.DATE),
    Column("missing", "No data", share=1.5),
    Column("statement", "Statement", Kind.MOMENT),
    Column("tie_out", "Tie-out", share=0.5),
    Column("state", "Day", share=0.5),
    Column("computed", "Worked out", Kind.MOMENT),
)


@treasury.get("/export")
@downloads(filters=("day",))
@requires(Permission.TREASURY_READ)
def export() -> Response:
    """The table of positions as a file; a figure that is unknown is empty, and the file says why."""
    form = exports.Format.named(request.args.get("format", "csv"))
    day = day_of(request.args.get("day"))
    lines = _lines(standing.of_day(day), day) if day else []
    found: list[dict[str, object]] = []
    for line in lines:
        figures = line.position.figures
        values = {key: rows.money(getattr(figures, key), figures.currency) for key in (
            "client", "unrecognized", "received", "sent", "requirement", "at_bank", "other", "resource", "excess",
            "explained", "sweepable", "unexplained", "late", "frozen", "negative", "unmatched_amount",
        )}  # fmt: skip
        found.append(
            {
                "pool": POOL_LABELS[Pool(figures.pool)],
                "currency": figures.currency.upper(),
                **values,
                "percent": None if figures.excess_percent is None else f"{figures.excess_percent:+f} %",
                "breaks": figures.breaks,
                "unmatched": figures.unmatched,
                "unmatched_since": figures.unmatched_since,
                "tie_out": line.statement.tie_out,
                "missing": naming.why_unknown(line.position) if line.position.unknown else None,
                "statement": line.statement.at,
                "state": line.state.word,
                "computed": line.position.computed_at,
            }
        )
    about = exports.about(
        "Treasury positions",
        filters=[("Business day", naming.in_words(day) if day else "none has ended")],
        by=current_actor().name,
    )
    return exports.answer(Listing(about, COLUMNS), lambda: found, form, expected=len(found))
