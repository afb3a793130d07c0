"""Business days: the open one, its end, closed ones with their totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Response, flash, render_template, request, url_for

from dashboard import clock
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, NotFound, Refused
from dashboard.ledger.forms.days import EndDayForm
from dashboard.ledger.pages.blueprint import ledger
from dashboard.ledger.queries import balances
from dashboard.ledger.queries import days as queries
from dashboard.ledger.queries.days import DayView, Difference
from dashboard.ledger.services import days as services
from dashboard.ledger.services import snapshots
from dashboard.ledger.services.snapshots import Sum
from dashboard.ledger.vocabulary import ACCOUNT_TYPE_LABELS, AccountType
from dashboard.money import Money
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment

PAGE_SIZE = 50
#: differences that the page shows; the operation of the API gives more
SHOWN_DIFFERENCES = 50


@dataclass(frozen=True)
class Turnover:
    """One currency of a closed day. `together`: the sum of all balances, which is zero in books that are right."""

    currency: str
    turnover: Money
    together: Money
    rows: Sequence[Sum] = ()


@dataclass(frozen=True)
class DifferenceRow:
    what: str
    url: str | None
    field: str
    stored: str
    rebuilt: str


def figure(minor: int, currency: str) -> str:
    """An amount without its currency, as a column shows it."""
    return str(Money(minor, currency)).rpartition(" ")[0]


def _turnovers(sums: Sequence[Sum]) -> list[Turnover]:
    found = []
    for currency in sorted({each.currency for each in sums}):
        own = [each for each in sums if each.currency == currency]
        found.append(
            Turnover(
                currency,
                Money(sum(each.debits for each in own), currency),
                Money(sum(each.posted for each in own), currency),
                own,
            )
        )
    return found


def _day_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def _named(day: str) -> DayView:
    """Raises NotFound."""
    wanted = _day_of(day)
    found = queries.one(wanted) if wanted else None
    if found is None:
        raise NotFound("This is no business day of the ledger.", code="dayNotFound")
    return found


def _pages() -> tuple[list[DayView], str | None, str | None]:
    """A page of closed days, newest first, and the addresses of those beside it."""
    before, after = (_day_of(request.args.get(name, "")) for name in ("before", "after"))
    found = queries.closed(limit=PAGE_SIZE + 1, before=None if after else before, after=after)
    more = len(found) > PAGE_SIZE
    shown = found[1:] if after and more else found[:PAGE_SIZE]
    if not shown:
        return [], None, None
    newer = more if after else before is not None
    older = after is not None or more
    return (
        shown,
        url_for("ledger.days", after=shown[0].day.isoformat()) if newer else None,
        url_for("ledger.days", before=shown[-1].day.isoformat()) if older else None,
    )


@ledger.get("/days")
@requires(Permission.LEDGER_READ)
def days() -> str:
    """The open day above the closed ones."""
    opened = queries.one(services.open_day().day)
    assert opened is not None
    shown, newer, older = _pages()
    sums = snapshots.sums([view.day for view in shown])
    today = clock.calendar().today()
    return render_template(
        "ledger/days.html",
        opened=opened,
        begun=services.has_begun(opened.day),
        booked=queries.booked_on(opened.day),
        today=today,
        behind=clock.calendar().days_between(opened.day, today),
        rows=[(view, _turnovers(sums.get(view.day, []))) for view in shown],
        newer=newer,
        older=older,
        paged=bool(request.args.get("before") or request.args.get("after")),
        may_operate=current_actor().may(Permission.LEDGER_OPERATE),
        in_words=services.in_words,
    )


def _differences(found: Sequence[Difference]) -> list[DifferenceRow]:
    def said(one: Difference, number: int | None) -> str:
        if number is None:
            return "missing"
        if one.field in {"accounts", "movements"}:
            return f"{number:,}"
        return str(Money(number, one.currency))

    labels = {"posted": "Balance", "debits": "Debits", "credits": "Credits", "movements": "Movements",
              "accounts": "Accounts"}  # fmt: skip
    return [
        DifferenceRow(
            one.number or f"{ACCOUNT_TYPE_LABELS[AccountType(one.account_type)]} {one.currency.upper()}, total",
            f"/ledger/accounts/{one.account_id}" if one.account_id else None,
            labels[one.field],
            said(one, one.stored),
            said(one, one.rebuilt),
        )
        for one in found
    ]


@ledger.get("/days/<day>")
@requires(Permission.LEDGER_READ)
def day(day: str) -> str:
    """One day: totals by currency and account type. `compare` computes them anew from the transactions."""
    view = _named(day)
    context: dict[str, Any] = {"ending": queries.ending(view.day) if view.closed_at else None}
    if view.state == "open":
        context |= {"now": balances.totals(), "begun": services.has_begun(view.day)}
    elif view.snapshot_at:
        context["turnovers"] = _turnovers(snapshots.sums([view.day]).get(view.day, []))
        if request.args.get("compare"):
            with transaction():
                compared = queries.compare(view.day, view.day)
            context |= {"compared": compared, "differences": _differences(compared.differences[:SHOWN_DIFFERENCES])}
    return render_template(
        "ledger/day.html",
        view=view,
        labels=ACCOUNT_TYPE_LABELS,
        figure=figure,
        in_words=services.in_words,
        may_operate=current_actor().may(Permission.LEDGER_OPERATE),
        **context,
    )


COLUMNS = (
    Column("currency", "Currency", share=0.5),
    Column("type", "Account type"),
    Column("accounts", "Accounts", Kind.NUMBER),
    Column("debits", "Debits", Kind.AMOUNT),
    Column("credits", "Credits", Kind.AMOUNT),
    Column("posted", "Balance", Kind.AMOUNT),
)


DAYS = (
    Column("day", "Business day", Kind.DATE),
    Column("ended", "Ended", Kind.MOMENT),
    Column("snapshot", "Snapshot", Kind.MOMENT),
    Column("currency", "Currency", share=0.5),
    Column("turnover", "Turnover", Kind.AMOUNT),
    Column("together", "All balances together", Kind.AMOUNT),
    Column("result", "Result"),
)


@ledger.get("/days/export/<form>")
@downloads()
@requires(Permission.LEDGER_READ)
def days_export(form: str) -> Response:
    """All closed days, newest first, a row for each currency of a day; without a snapshot a day has one and no sums."""
    chosen_format = Format.of_a_list(form)

    def older(last: DayView | None) -> list[DayView]:
        return queries.closed(limit=PAGE_SIZE, before=last.day if last else None)

    def rows() -> Iterator[Row]:
        for part in parts(older):
            sums = snapshots.sums([view.day for view in part])
            for view in part:
                turnovers = _turnovers(sums.get(view.day, []))
                wrong = any(each.together.minor_units for each in turnovers)
                result = ("Differs" if wrong else "Ties out") if view.snapshot_at else "No snapshot"
                head = {"day": view.day, "ended": view.closed_at, "snapshot": view.snapshot_at, "result": result}
                for each in turnovers:
                    yield head | {
                        "currency": each.currency.upper(), "turnover": each.turnover, "together": each.together,
                    }  # fmt: skip
                if not turnovers:
                    yield head | {"currency": None, "turnover": None, "together": None}

    about = exports.about("Business days", by=current_actor().name)
    return exports.answer(Listing(about, DAYS), rows, chosen_format)


@ledger.get("/days/<day>/export")
@downloads()
@requires(Permission.LEDGER_READ)
def day_export(day: str) -> Response:
    """The totals of a closed day as a file."""
    form = exports.Format.named(request.args.get("format", "csv"))
    view = _named(day)
    if not view.snapshot_at:
        raise Refused("This day has no snapshot yet.", code="dayOpen")
    sums = snapshots.sums([view.day]).get(view.day, [])
    rows = [
        {
            "currency": one.currency.upper(),
            "type": ACCOUNT_TYPE_LABELS[AccountType(one.account_type)],
            "accounts": one.accounts,
            "debits": Money(one.debits, one.currency),
            "credits": Money(one.credits, one.currency),
            "posted": Money(one.posted, one.currency),
        }
        for one in sums
    ]
    about = exports.about(
        f"Business day {view.day}", filters=[("Business day", services.in_words(view.day))], by=current_actor().name
    )
    return exports.answer(Listing(about, COLUMNS), lambda: rows, form, name=f"Business day {view.day}")


def _dialog(form: EndDayForm, status: int = 200) -> Response:
    opened = services.open_day().day
    if request.method == "GET" or form.day.data != opened.isoformat():
        form.day.data = opened.isoformat()
        # a tick was for the day that was read back
        form.ahead.data = False
    following = services.following(opened)
    return page_or_fragment(
        "ledger/days_end.html",
        "ledger/_days_end.html",
        status=status,
        form=form,
        answered=status,
        day=opened,
        following=following,
        skipped=services.skipped(opened, following),
        today=clock.calendar().today(),
        begun=services.has_begun(opened),
        booked=queries.booked_on(opened),
        in_words=services.in_words,
    )


@ledger.route("/days/end", methods=["GET", "POST"])
@requires(Permission.LEDGER_OPERATE)
def end_day() -> Any:
    """The dialog that reads back which day ends, and the end of the day."""
    form = EndDayForm()
    if request.method == "GET":
        form.next_day.data = services.following(services.open_day().day)
        return _dialog(form)
    wanted = _day_of(form.day.data or "")
    if not form.validate() or wanted is None:
        return _dialog(form, 422)
    try:
        ended = services.end_by_hand(
            wanted,
            next_day=form.next_day.data,
            ahead=form.ahead.data,
            reason=form.reason.data or "",
            by=current_actor(),
        )
    except (Invalid, Conflict, Refused) as refusal:
        show_errors(form, refusal)
        return _dialog(form, 422 if isinstance(refusal, Invalid) else refusal.status)
    if ended.by_us:
        flash(f"{services.in_words(ended.day)} has ended. {services.in_words(ended.next_day)} is open.", "ok")
    else:
        flash(f"{services.in_words(ended.day)} had ended already. Nothing was changed by you.", "wait")
    return _snapshot(ended.day)


def _snapshot(wanted: date, told: str | None = None) -> Any:
    try:
        snapshots.make(wanted, by=current_actor())
    except Conflict as refusal:
        flash(refusal.message, "wait")
    else:
        if told:
            flash(told, "ok")
    return go(url_for("ledger.days"))


@ledger.post("/days/<day>/snapshot")
@requires(Permission.LEDGER_OPERATE)
def make_snapshot(day: str) -> Any:
    """Write a snapshot that is missing."""
    view = _named(day)
    return _snapshot(view.day, f"The snapshot of {services.in_words(view.day)} stands.")
