"""Findings of a run: the list with its filters, and the same as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.errors import Invalid
from dashboard.money import DECIMALS, Money
from dashboard.treasury.checks import queries
from dashboard.treasury.checks.models import DailyCheckFinding
from dashboard.treasury.checks.pages.blueprint import checks
from dashboard.treasury.checks.queries import FindingFilter
from dashboard.treasury.checks.table import TITLES
from dashboard.treasury.vocabulary import POOL_LABELS, Pool
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing
from dashboard.web.htmx import page_or_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

COLUMNS = (
    Column("check", "Check"),
    Column("pool", "Pool", share=0.6),
    Column("currency", "Currency", share=0.4),
    Column("subject", "Row"),
    Column("subject_id", "Identifier"),
    Column("says", "What is wrong", share=2),
    Column("todo", "What to do", share=2),
    Column("expected", "Must be", Kind.AMOUNT),
    Column("found", "Found", Kind.AMOUNT),
)
FILTERS = {"check": "Check", "currency": "Currency"}


def _asked(run_id: UUID) -> tuple[FindingFilter, dict[str, str]]:
    """The filter and its values as typed. Raises Invalid."""
    values = {name: request.args[name].strip() for name in FILTERS if request.args.get(name, "").strip()}
    if values.get("check", "zeroSum") not in TITLES:
        raise Invalid.one("check", "There is no such check.", "enum")
    if values.get("currency", "eur") not in DECIMALS:
        raise Invalid.one("currency", "This currency is not known here.", "enum")
    return FindingFilter(run_id, values.get("check"), values.get("currency")), values


@checks.get("/runs/<uuid:run_id>/findings")
@requires(Permission.TREASURY_READ)
def findings(run_id: UUID) -> Response:
    """Findings of a run, in the order of the checks."""
    run = queries.get(run_id)
    chosen, values = _asked(run_id)
    bound = ["daily-check-findings", str(run_id), sorted(values.items())]
    base = url_for(".findings", run_id=run_id)

    def at(cursor: str | None) -> str | None:
        return f"{base}?{urlencode({**values, 'cursor': cursor})}" if cursor else None

    context: dict[str, Any] = {"rows": [], "cursor_problem": False}
    try:
        position = unseal(request.args.get("cursor"), bound=bound)
    except InvalidCursor:
        context["cursor_problem"] = True
    else:
        edge = UUID(position.key[0]) if position else None
        backwards = position is not None and position.backwards
        found = queries.findings(
            chosen, before=edge if backwards else None, after=None if backwards else edge, limit=DEFAULT_PAGE_SIZE + 1
        )

        def key(finding: DailyCheckFinding) -> list[Any]:
            return [str(finding.id)]

        shown, earlier, later = neighbours(found, position, size=DEFAULT_PAGE_SIZE, key=key, bound=bound)
        context |= {"rows": shown, "earlier": at(earlier), "later": at(later)}
    return page_or_fragment(
        "treasury/checks/findings.html", "treasury/checks/_findings_list.html",
        status=400 if context["cursor_problem"] else 200, run=run, base=base, values=values,
        query=f"?{urlencode(values)}" if values else "",
        checks=[("", "Any"), *TITLES.items()], currencies=[("", "Any"), *((code, code.upper()) for code in DECIMALS)],
        titles=TITLES, **context,
    )  # fmt: skip


@checks.get("/runs/<uuid:run_id>/findings/export/<form>")
@downloads(filters=tuple(FILTERS))
@requires(Permission.TREASURY_READ)
def export_findings(run_id: UUID, form: str) -> Response:
    """Exactly what the filters show, all pages of it, as `csv` or `xlsx`."""
    if form not in {Format.CSV, Format.XLSX}:
        raise Invalid.one("format", "Choose csv or xlsx.", "enum")
    run = queries.get(run_id)
    chosen, values = _asked(run_id)
    words = [(FILTERS[name], TITLES.get(value, value.upper())) for name, value in values.items()]
    about = exports.about(
        "Findings of daily checks", by=current_actor().name,
        filters=[("Business day", run.day.isoformat()), ("Run", str(run.id)), *words],
    )  # fmt: skip
    return exports.answer(Listing(about, COLUMNS), lambda: _rows(chosen), Format(form))


def _rows(chosen: FindingFilter) -> Iterator[Mapping[str, object]]:
    for row in queries.every_finding(chosen):
        currency = row["currency"]
        yield {
            **row,
            "check": TITLES.get(str(row["check_key"]), str(row["check_key"])),
            "pool": POOL_LABELS[Pool(str(row["pool"]))] if row["pool"] else "",
            "currency": str(currency).upper() if currency else "",
            "subject_id": str(row["subject_id"] or ""),
            "expected": _money(row["expected_minor"], currency),
            "found": _money(row["found_minor"], currency),
        }


def _money(minor: Any, currency: object) -> object:
    """Money of its currency; nothing for what is not told in money."""
    return Money(int(minor), str(currency)) if minor is not None and currency else None
