"""Every list as a file: the rows of the page in their order, its filter and its moment in the file, in both formats."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from html import unescape

import openpyxl
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard.access.guard import access_of
from dashboard.access.permissions import Role
from dashboard.database import db, session
from dashboard.staff.models import StaffMember
from tests.conftest import open_session
from tests.furnished import Furnished

OFFICER, SENIOR, TREASURER, ADMIN = Role.OFFICER, Role.SENIOR_OFFICER, Role.TREASURER, Role.ADMIN
#: the page, its export without the format, who reads it, the column that stands in the row as it is, a filter's words
LISTS = [
    ("/clients?status=active", "/clients/export/{}?status=active", OFFICER, "Client", "Status: Active"),
    ("/clients?text=an&sort=name", "/clients/export/{}?text=an&sort=name", OFFICER, "Client", "Text: an"),
    ("/clients/flags?owner=any", "/clients/flags/export/{}?owner=any", OFFICER, "Flag", "Severity: "),
    ("/clients/deletions", "/clients/deletions/export/{}", SENIOR, "Client", "State: "),
    ("/approvals?view=open", "/approvals/export/{}?view=open", SENIOR, "What", "View: All open"),
    ("/queues/client-review", "/queues/client-review/export/{}", OFFICER, "About", "none, everything is here"),
    ("/onboarding/reviews", "/onboarding/reviews/export/{}", OFFICER, "Client", "none, everything is here"),
    ("/onboarding/events", "/onboarding/events/export/{}", OFFICER, "Client", "none, everything is here"),
    ("/transfers?kind=outgoing", "/transfers/export/{}?kind=outgoing", OFFICER, "Counterparty", "Kind: "),
    ("/transfers/unrecognized", "/transfers/unrecognized/export/{}", OFFICER, None, ""),
    ("/transfers/requests", "/transfers/requests/export/{}", OFFICER, "Remittance text", "none, everything is here"),
    ("/ledger/accounts?type=client", "/ledger/accounts/export?format={}&type=client", TREASURER, "Owner", "Type: "),
    ("/ledger/transactions", "/ledger/transactions/export/{}", TREASURER, "Debtor", "none, everything is here"),
    ("/ledger/days", "/ledger/days/export/{}", TREASURER, None, "none, everything is here"),
    ("/treasury/breaks", "/treasury/breaks/export/{}", TREASURER, "Kind", ""),
    ("/treasury/movements", "/treasury/movements/export.{}", TREASURER, None, ""),
    ("/treasury/accounts", "/treasury/accounts/export.{}", TREASURER, "Name", ""),
    ("/treasury/cover", "/treasury/cover/export.{}", TREASURER, None, ""),
    ("/treasury/checks/alerts", "/treasury/checks/alerts/export/{}", TREASURER, None, "State: Open"),
    ("/staff?role=officer", "/staff/export/{}?role=officer", ADMIN, "Name", "Role: Compliance officer"),
    ("/staff/tokens", "/staff/tokens/export/{}", ADMIN, "Name", "none, everything is here"),
    ("/staff/invitations?state=open", "/staff/invitations/export/{}?state=open", ADMIN, None, "State: Open"),
    ("/treasury/statements", "/treasury/statements/files.{}", TREASURER, None, ""),
    ("/treasury/days", "/treasury/days/export.{}", TREASURER, None, ""),
    ("/jobs/log", "/jobs/log/export/{}", ADMIN, None, "none, everything is here"),
    ("/audit?kind=system", "/audit/export/{}?kind=system", Role.AUDITOR, None, "system"),
]


@pytest.fixture(scope="module")
def reading(furnished: Furnished) -> Callable[[Role], FlaskClient]:
    known: dict[Role, FlaskClient] = {}
    with furnished.app.app_context():
        for member in session().scalars(sa.select(StaffMember)).all():
            known[Role(member.role)] = open_session(furnished.app, member)
        db.session.remove()
    return known.__getitem__


def parsed(text: str) -> tuple[list[str], list[dict[str, str]]]:
    """The notes of a CSV, and its rows by the labels of their columns."""
    lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    notes = [line[0] for line in lines if len(line) == 1 and line[0].startswith("# ")]
    head, *rows = [line for line in lines if not (len(line) == 1 and line[0].startswith("# "))]
    return notes, [dict(zip(head, row, strict=True)) for row in rows]


def rows_of(page: str) -> list[str]:
    """The rows of a page's list as text; titles hold what is cut off."""
    bodies = re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    # beside the list stand figures; the list is the longest
    found = max((re.findall(r"<tr\b.*?</tr>", body, re.DOTALL) for body in bodies), key=len, default=[])
    return [" ".join(unescape(" ".join(re.findall(r'title="([^"]*)"', row)) + re.sub(r"<[^>]+>", " ", row)).split())
            for row in found]  # fmt: skip


@pytest.mark.parametrize(("page", "address", "role", "column", "filtered"), LISTS, ids=[row[1] for row in LISTS])
def test_a_list_is_exported_as_its_page_shows_it(
    reading: Callable[[Role], FlaskClient], page: str, address: str, role: Role, column: str | None, filtered: str
) -> None:
    person = reading(role)
    shown = person.get(page)
    assert shown.status_code == 200
    answer = person.get(address.format("csv"))
    assert answer.status_code == 200 and answer.headers["Content-Disposition"].startswith("attachment")
    notes, rows = parsed(answer.text)
    head = {name: words for name, _, words in (note[2:].partition(": ") for note in notes)}
    assert filtered in head["Filter"]
    assert re.search(r"\d\d:\d\d:\d\d Europe/\w+ \(\d{4}-\d\d-\d\dT[\d:]+Z\)", head["As of"])
    assert head["rows"] == str(len(rows))
    if column is not None:
        seen = rows_of(shown.text)
        assert seen and len(rows) >= len(seen)
        for row, exported in zip(seen, rows, strict=False):
            assert " ".join(exported[column].lstrip("'").split()) in row
    if rows:
        assert re.sub(r"&", "&amp;", address.format("csv")).split("?")[0] in shown.text, "the page does not offer it"
    book = openpyxl.load_workbook(io.BytesIO(person.get(address.format("xlsx")).data), read_only=True)
    table = list(book.worksheets[1].iter_rows(values_only=True))
    assert len(table) == len(rows) + 1
    first = next(iter(rows[0])) if rows else None
    if first is not None and "Europe/" not in first:
        assert [str(row[0] or "").removesuffix(" 00:00:00") for row in table[1:]] == [
            row[first].removeprefix("'") for row in rows
        ]


def test_every_export_of_a_list_is_in_the_table(furnished: Furnished) -> None:
    """A new one is compared with its page from its first day."""
    elsewhere = {
        # documents about one thing, with tests beside it
        "ledger.statement", "ledger.day_export", "reconciliation.report_file", "treasury.export",
        "treasury.figure_export", "statements.export", "statements.refused", "checks.export_findings",
    }  # fmt: skip
    with furnished.app.test_request_context():
        adapter = furnished.app.url_map.bind("localhost")
        known = {adapter.match(address.format("csv").partition("?")[0])[0] for _, address, *_ in LISTS}
    missing = set()
    for rule in furnished.app.url_map.iter_rules():
        access = access_of(furnished.app, rule.endpoint)
        if access is None or access.audience is not None or access.permission is None or "GET" not in rule.methods:  # type: ignore[operator]
            continue
        if re.search(r"/export\b|[/.]<form>", rule.rule) and rule.endpoint not in elsewhere:
            missing.add(rule.endpoint)
    assert missing <= known, missing - known
    assert elsewhere <= set(furnished.app.view_functions), "declared, and not there"
