"""The reconciliation report as a page and as a file."""

from __future__ import annotations

from datetime import date

from flask import Response, current_app, request

from dashboard.access.guard import requires
from dashboard.access.permissions import Permission
from dashboard.errors import Invalid
from dashboard.money import Money
from dashboard.settings import Settings
from dashboard.treasury.matching import report_files
from dashboard.treasury.matching.forms import day_of, identifiers
from dashboard.treasury.matching.pages.blueprint import reconciliation
from dashboard.treasury.matching.pages.point import latest_day, said
from dashboard.treasury.matching.queries.report import Report
from dashboard.treasury.matching.queries.report import report as read_report
from dashboard.treasury.matching.vocabulary import BREAK_LABELS, BreakKind
from dashboard.views.lists import downloads
from dashboard.web.exports import Format
from dashboard.web.exports.answers import file_name
from dashboard.web.htmx import page_or_fragment


def _asked() -> Report:
    """Raises Invalid, NotFound."""
    account_id = identifiers([request.args.get("account", "")], "account")[0]
    last = day_of(request.args.get("to")) or latest_day()
    if last is None:
        raise Invalid.one("to", "No business day has ended yet.", "range")
    first: date = day_of(request.args.get("from")) or last
    return read_report(account_id, first, last)


@reconciliation.get("/reconciliation/report")
@requires(Permission.TREASURY_READ)
def report() -> Response:
    """The report of a period, to read."""
    found = _asked()
    return page_or_fragment(
        "treasury/matching/report.html",
        "treasury/matching/report.html",
        report=found,
        said=said(found.account),
        facts=report_files.facts(found),
        state_of=report_files.state_of,
        kinds={kind.value: label for kind, label in BREAK_LABELS.items()},
        money=lambda minor: Money(minor, found.account.currency),
        kind=BreakKind,
    )


@reconciliation.get("/reconciliation/report/<form>")
@downloads(filters=("account", "from", "to"))
@requires(Permission.TREASURY_READ)
def report_file(form: str) -> Response:
    """The same as XLSX or PDF."""
    wanted = Format.named(form)
    if wanted is Format.CSV:
        raise Invalid.one("format", "Choose xlsx or pdf.", "enum")
    found = _asked()
    settings: Settings = current_app.extensions["countinghouse.settings"]
    if wanted is Format.XLSX:
        content = report_files.xlsx(
            found, institution=settings.institution_name, zone=settings.zone, most_rows=settings.export_xlsx_rows
        )
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    else:
        content = report_files.pdf(found, institution=settings.institution_name, zone=settings.zone)
        kind = "application/pdf"
    name = file_name(f"Reconciliation {found.account.number} {found.first.isoformat()} {found.last.isoformat()}")
    response = Response(content, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{wanted}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
