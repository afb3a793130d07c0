"""Treasury days: the list of versions, the same as a file, and one day with its steps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from flask import Response, make_response, render_template, request, url_for

from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.errors import Invalid, NotFound
from dashboard.ledger.services.days import in_words
from dashboard.money import DECIMALS
from dashboard.treasury.days import queries, readiness
from dashboard.treasury.days.forms import ReopenForm
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.forms import filters
from dashboard.treasury.register.forms.filters import ListQuery
from dashboard.treasury.register.pages.blueprint import treasury_register
from dashboard.treasury.vocabulary import POOL_LABELS, DayState, Pool
from dashboard.views.lists import downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

STATES = {
    DayState.OPEN: ("info", "Open"),
    DayState.PREPARED: ("wait", "Prepared"),
    DayState.SIGNED: ("ok", "Signed"),
    DayState.REOPENED: ("neutral", "Reopened"),
}
NOT_BEGUN = ("unknown", "Not begun")
CHOICES: dict[str, filters.Choice] = {
    "pool": ("Pool", [("", "Any"), *((pool.value, word) for pool, word in POOL_LABELS.items())]),
    "currency": ("Currency", [("", "Any"), *((code, code.upper()) for code in DECIMALS)]),
    "state": ("State", [("", "Any"), *((state.value, word) for state, (_, word) in STATES.items())]),
}
COLUMNS = (
    Column("day", "Business day", Kind.DATE),
    Column("pool", "Pool", share=0.8),
    Column("currency", "Currency", share=0.5),
    Column("version", "Version", Kind.NUMBER),
    Column("state", "State", share=0.6),
    Column("prepared_at", "Prepared", Kind.MOMENT),
    Column("prepared_by", "Prepared by"),
    Column("signed_at", "Signed", Kind.MOMENT),
    Column("signed_by", "Signed by"),
    Column("reopened_at", "Reopened", Kind.MOMENT),
    Column("reopened_by", "Reopened by"),
    Column("reopened_because", "Reopened because", share=1.5),
)


def named(day: str, pool: str, currency: str) -> date:
    """The day of an address. Raises NotFound where pool, currency or day are nobody's."""
    try:
        wanted = date.fromisoformat(day) if len(day) == 10 else None
    except ValueError:
        wanted = None
    if wanted is None or pool not in set(Pool) or currency not in DECIMALS or not queries.business_day(wanted):
        raise NotFound("There is no such treasury day.", code="dayNotFound")
    return wanted


def _page_of(asked: ListQuery) -> tuple[list[TreasuryDay], str | None, str | None]:
    position = unseal(asked.cursor, bound=asked.bound)
    after = None
    if position is not None:
        last, pool, currency, version = position.key
        after = date.fromisoformat(last), pool, currency, version
    rows = queries.find(
        **_chosen(asked), size=DEFAULT_PAGE_SIZE, after=after, backwards=position is not None and position.backwards
    )
    shown, before, later = neighbours(
        rows, position, size=DEFAULT_PAGE_SIZE, bound=asked.bound,
        key=lambda row: [row.day.isoformat(), row.pool, row.currency, row.version],
    )  # fmt: skip
    base = url_for("treasury_register.days")
    newer, older = (base + asked.query(cursor=cursor) if cursor else None for cursor in (before, later))
    return shown, newer, older


def _chosen(asked: ListQuery) -> dict[str, Any]:
    """The filters as the queries take them."""
    return {name: asked.get(name) for name in CHOICES}


@treasury_register.get("/days")
@listed(
    "treasury-days", "Treasury days", keeps=tuple(CHOICES),
    reads=lambda values, _actor: filters.read("treasury days", values, CHOICES),
)  # fmt: skip
@requires(Permission.TREASURY_READ)
def days() -> Response:
    """What is to be signed of the latest ended day, above all versions of all days."""
    asked = filters.read("treasury days", request.args, CHOICES)
    status, problem = 200, False
    rows: list[TreasuryDay] = []
    earlier = later = None
    if asked.errors:
        status = 422
    else:
        try:
            rows, earlier, later = _page_of(asked)
        except InvalidCursor:
            status, problem = 400, True
    ended = queries.last_ended()
    standing = {(each.pool, each.currency): each for each in queries.of_day(ended.day)} if ended else {}
    page = render_template(
        "treasury/days/days.html",
        asked=asked,
        rows=rows,
        earlier=earlier,
        later=later,
        cursor_problem=problem,
        ended=ended,
        to_sign=[(pool, currency, standing.get((pool, currency))) for pool, currency in register.pools()],
        states=STATES,
        not_begun=NOT_BEGUN,
        pools=POOL_LABELS,
        in_words=in_words,
        nothing_at_all=not rows and not asked.values and not queries.any_day(),
    )
    return make_response(page, status)


@treasury_register.get("/days/export.<form>")
@downloads("treasury-days")
@requires(Permission.TREASURY_READ)
def days_export(form: str) -> Any:
    """The same list as a file."""
    asked = filters.read("treasury days", request.args, CHOICES)
    if asked.errors:
        raise Invalid.one("filter", f"There is no such choice: {', '.join(asked.errors)}.", "enum")

    def rows() -> Iterator[Row]:
        for row in queries.stream(**_chosen(asked)):
            said = {column.key: getattr(row, column.key) for column in COLUMNS}
            yield said | {
                "pool": POOL_LABELS[Pool(row.pool)], "currency": row.currency.upper(),
                "state": STATES[DayState(row.state)][1],
            }  # fmt: skip

    listing = Listing(exports.about("Treasury days", filters=asked.in_words(), by=current_actor().name), COLUMNS)
    return exports.answer(listing, rows, Format.named(form))


def why_not_sign(version: TreasuryDay | None, actor: Actor) -> str | None:
    """Why this person may not sign, blockers aside."""
    if version is None or version.state != DayState.PREPARED:
        return "It is signed once it is prepared."
    if version.prepared_by_id == actor.id:
        return "You prepared it; another person signs."
    return None


def shown(pool: str, currency: str, day: date, form: ReopenForm, *, status: int = 200) -> Response:
    """One pool and currency of a day: its steps, its versions, and what may be done."""
    actor = current_actor()
    version = queries.current(pool, currency, day)
    steps = readiness.steps(pool, currency, day)
    page = render_template(
        "treasury/days/day.html",
        pool=pool,
        currency=currency,
        day=day,
        version=version,
        state=STATES[DayState(version.state)] if version else NOT_BEGUN,
        steps=steps,
        ready=all(step.done for step in steps),
        may_prepare_now=not readiness.in_the_way_of_preparing(pool, currency, day),
        why_not_sign=why_not_sign(version, actor),
        versions=queries.versions(pool, currency, day),
        states=STATES,
        pools=POOL_LABELS,
        in_words=in_words,
        form=form,
        may_sign=actor.may(Permission.TREASURY_SIGN),
        may_read_ledger=actor.may(Permission.LEDGER_READ),
    )
    return make_response(page, status)


@treasury_register.get("/days/<day>/<pool>/<currency>")
@requires(Permission.TREASURY_READ)
def day(day: str, pool: str, currency: str) -> Response:
    """One pool and currency of a day."""
    return shown(pool, currency, named(day, pool, currency), ReopenForm(formdata=None))
