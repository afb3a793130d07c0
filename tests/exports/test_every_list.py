"""Every list as a file: the rows of the page in their order, its filter and its moment in the file, in both formats."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import NamedTuple

import openpyxl
import pytest
import sqlalchemy as sa
from flask import g, request
from flask.testing import FlaskClient

from dashboard.access.guard import access_of
from dashboard.access.permissions import Role
from dashboard.database import db, one_snapshot, session
from dashboard.staff import services as staff_services
from dashboard.staff.models import StaffMember
from dashboard.web.exports import describing
from dashboard.web.exports.csv_file import harmless
from tests.exports.reading import Cell, Table, parsed, tables_of
from tests.furnished import Furnished

OFFICER, SENIOR, TREASURER, ADMIN, AUDITOR = (
    Role.OFFICER, Role.SENIOR_OFFICER, Role.TREASURER, Role.ADMIN, Role.AUDITOR,
)  # fmt: skip
EVERYTHING = "none, everything is here"
#: pages that are walked; of longer lists the first ones are compared
MOST_PAGES = 4
#: what a cell says where there is nothing
NOTHING = {
    "", "–", "nobody", "none", "none yet", "no data", "no text", "nothing", "not known", "never", "waits",
    "not written", "matched once",
}  # fmt: skip


class List(NamedTuple):
    """`same`: columns of the page by the columns of the file whose values stand in them, where they are not called the
    same; `beside`: columns of the page that the file tells otherwise or needs not. `key`: one row of the page is as
    many rows of the file as have this in common. `unsaid`: what a cell may say where the file says nothing."""

    page: str
    export: str
    role: Role
    filtered: str
    same: Mapping[str, tuple[str, ...]] = {}
    beside: frozenset[str] | set[str] = frozenset()
    key: str | None = None
    unsaid: str = ""


#: columns that have a button and no head
ACTS = {"Action", "Decision", "Change", "Take or release", "Decide", ""}
CLIENT = {"Type, country": ("Type", "Country"), "Open": ("Open flags",)}
BREAKS = {
    "Age": ("Age, business days",), "Bank account": ("Bank account",), "Bank − ledger": ("Bank minus ledger",),
}  # fmt: skip
LISTS = [
    List("/clients?status=active", "/clients/export/{}?status=active", OFFICER, "Status: Active", CLIENT),
    List("/clients?text=an&sort=name", "/clients/export/{}?text=an&sort=name", OFFICER, "Text: an", CLIENT),
    List("/clients/flags?owner=any", "/clients/flags/export/{}?owner=any", OFFICER, "Severity: "),
    List("/clients/deletions", "/clients/deletions/export/{}", SENIOR, "State: ", {"Asked": ("Asked",)}),
    List(
        "/clients/{client}?tab=documents", "/clients/{client}/documents/export/{}", OFFICER, "State: In use",
        {"File": ("File", "Format"), "State": ("State", "Rejected because")},
    ),
    List(
        "/approvals?view=open", "/approvals/export/{}?view=open", SENIOR, "View: All open",
        {"Asked by": ("Asked by", "Asked")}, {"Before → after"},
    ),
    List(
        "/queues/client-review", "/queues/client-review/export/{}", OFFICER, EVERYTHING, {"About": ("About", "More")}
    ),
    List(
        "/onboarding/reviews", "/onboarding/reviews/export/{}", OFFICER, EVERYTHING, {"In the queue": ("Due",)}
    ),
    List("/onboarding/events", "/onboarding/events/export/{}", OFFICER, EVERYTHING, unsaid=r".*applicant \w{8}…"),
    List(
        "/onboarding/events/replays", "/onboarding/events/replays/export/{}", OFFICER, EVERYTHING,
        {"State": ("State", "Failure")},
    ),
    List(
        "/onboarding/differences", "/onboarding/differences/export/{}", OFFICER, "State: Open",
        {"What": ("What",), "Here": ("Here",), "State": ("State",)},
    ),
    List("/onboarding/differences/runs", "/onboarding/differences/runs/export/{}", OFFICER, EVERYTHING),
    List(
        "/transfers?kind=outgoing", "/transfers/export/{}?kind=outgoing", OFFICER, "Kind: ",
        {"Text": ("Remittance information",), "Kind": ("Type",), "Amount": ("Amount", "Currency")},
    ),
    List(
        "/transfers/unrecognized", "/transfers/unrecognized/export/{}", OFFICER, "",
        {"Who": ("Assignee",), "Amount": ("Amount", "Currency")},
    ),
    List(
        "/transfers/unrecognized/rules", "/transfers/unrecognized/rules/export/{}", OFFICER, "Rules: standing",
        {"Payer": ("Payer", "Payer’s account"), "Asked": ("Asked by", "Asked")},
    ),
    List(
        "/transfers/unrecognized/rules?view=ended", "/transfers/unrecognized/rules/export/{}?view=ended", OFFICER,
        "Rules: ended", {"Asked": ("Asked by", "Asked"), "State": ("State", "Ended by", "Ended")},
    ),
    List(
        "/transfers/requests", "/transfers/requests/export/{}", OFFICER, EVERYTHING,
        {"Provider": ("Provider", "Told by"), "Amount": ("Amount", "Currency")}, unsaid="Payer unknown",
    ),
    List(
        "/transfers/calendars?country=LT&year=2026", "/transfers/calendars/export/{}?country=LT&year=2026", OFFICER,
        "Country: LT; Year: 2026",
    ),
    List("/transfers/exchange", "/transfers/exchange/rates/export/{}", TREASURER, EVERYTHING),
    List("/transfers/exchange", "/transfers/exchange/positions/export/{}", TREASURER, EVERYTHING),
    List("/transfers/exchange", "/transfers/exchange/margins/export/{}", TREASURER, EVERYTHING),
    List(
        "/transfers/providers/bank-files/files", "/transfers/providers/bank-files/files/export/{}", TREASURER,
        EVERYTHING, {"Result": ("Result", "Why", "Entries that were not taken")},
    ),
    List(
        "/transfers/providers/bank-files/files?view=failed",
        "/transfers/providers/bank-files/files/export/{}?view=failed", TREASURER, "Files: to look at",
    ),
    List("/transfers/of/{client}/recipients", "/transfers/of/{client}/recipients/export/{}", OFFICER, EVERYTHING),
    List(
        "/ledger/accounts?type=client", "/ledger/accounts/export?type=client&format={}", TREASURER, "Type: ",
        {"Account": ("Account number",), "Owner or type": ("Owner",), "Status": ("Frozen",)},
        unsaid="Open|Closed",
    ),
    List(
        "/ledger/transactions", "/ledger/transactions/export/{}", TREASURER, EVERYTHING,
        {"Amount": ("Amount", "Currency"), "Booked": ("Booking date",)}, unsaid=r"[A-Z][a-z -]+",
    ),
    List("/ledger/days", "/ledger/days/export/{}", TREASURER, EVERYTHING, key="Business day"),
    List("/ledger/checks", "/ledger/checks/export/{}", TREASURER, EVERYTHING),
    List(
        "/ledger/checks?view=open", "/ledger/checks/export/{}?view=open", TREASURER, "Findings: Open findings",
        {"Account": ("Account", "Whose")},
    ),
    List(
        "/ledger/checks?view=closed", "/ledger/checks/export/{}?view=closed", TREASURER, "Findings: Closed findings",
        {"Account": ("Account", "Whose"), "How": ("State",)},
    ),
    List(
        "/ledger/opening-balances", "/ledger/opening-balances/export/{}", TREASURER, EVERYTHING,
        # on the page those of all currencies together
        {}, {"Accounts"}, key="Identifier",
    ),
    List("/ledger/opening-balances/{opening}", "/ledger/opening-balances/{opening}/export/{}", TREASURER, EVERYTHING),
    List("/treasury/breaks", "/treasury/breaks/export/{}", TREASURER, "", BREAKS, {"Ledger row", "Bank line"}),
    List(
        "/treasury/movements", "/treasury/movements/export.{}", TREASURER, "",
        {"Amount": ("Amount", "Currency"), "Told by the banks": (
            "Told by the bank that gave", "Told by the bank that took"
        )},
    ),
    List(
        "/treasury/accounts", "/treasury/accounts/export.{}", TREASURER, "",
        {"Account": ("Name", "Provider"), "Designated": ("Designated from", "Designated to")},
    ),
    List(
        "/treasury/accounts/pools", "/treasury/accounts/pools/export/{}", TREASURER, EVERYTHING,
        {"Asked and approved by": ("Asked by", "Approved by")},
    ),
    List(
        "/treasury/cover", "/treasury/cover/export.{}", TREASURER, "",
        {"Valid": ("Valid from", "Valid to"), "Amount": ("Amount", "Currency")},
    ),
    List(
        "/treasury/checks", "/treasury/checks/runs/export/{}", TREASURER, EVERYTHING,
    ),
    List(
        "/treasury/checks/alerts", "/treasury/checks/alerts/export/{}", TREASURER, "State: Open",
        {"What it says": ("Says",), "Since": ("First",)},
    ),
    List("/staff?role=officer", "/staff/export/{}?role=officer", ADMIN, "Role: Compliance officer"),
    List("/staff/tokens", "/staff/tokens/export/{}", ADMIN, EVERYTHING, {}, {"May"}),
    List("/staff/invitations?state=open", "/staff/invitations/export/{}?state=open", ADMIN, "State: Open"),
    List("/treasury/statements", "/treasury/statements/files.{}", TREASURER, "", {"By": ("By", "Source")}),
    List(
        "/treasury/days", "/treasury/days/export.{}", TREASURER, "",
        {"Prepared": ("Prepared", "Prepared by"), "Signed": ("Signed", "Signed by"),
         "Reopened": ("Reopened", "Reopened by", "Reopened because")},
    ),
    List(
        "/jobs/log", "/jobs/log/export/{}", ADMIN, EVERYTHING, {"For the time": ("Time",)},
        {"Took", "What it did"},
    ),
    List(
        "/audit?kind=system", "/audit/export/{}?kind=system", AUDITOR, "system",
        # the file has the codes that the seals are of
        {}, {"What", "Client", "Object"},
    ),
]  # fmt: skip


def addresses(one: List, house: Mapping[str, str], form: str) -> tuple[str, str]:
    """Page and export with what stands in them."""
    page, export = one.page, one.export.replace("{}", form)
    for name, value in house.items():
        page, export = page.replace(f"{{{name}}}", value), export.replace(f"{{{name}}}", value)
    return page, export


def labels_of(one: List, head: str, columns: Mapping[str, str]) -> tuple[str, ...]:
    """Columns of the file whose values stand under a head of the page."""
    if head in one.beside:
        return ()
    return one.same.get(head) or ((head,) if head in columns else ())


def walked(person: FlaskClient, address: str, one: List, columns: Mapping[str, str]) -> tuple[Table, bool]:
    """The list of a page with those that follow it, and whether that is all of it. A page may have other tables: the
    list is the one most of whose columns are those of the file."""
    whole: Table | None = None
    following: str | None = address
    for _ in range(MOST_PAGES):
        assert following is not None
        tables, following = tables_of(person.get(following).text)
        table = max(tables, key=lambda table: sum(bool(labels_of(one, head, columns)) for head in table.heads))
        rows = [row for row in table.rows if len(row) == len(table.heads)]
        whole = whole or Table(table.heads)
        whole.rows += rows
        if following is None:
            return whole, True
    assert whole is not None
    return whole, False


def shown(cell: Cell, values: list[str], reader: str, unsaid: str, *, grouped: bool) -> bool:
    """Whether a cell shows what the file has: each value, and nothing where there is none. A nought may be left out."""
    if not any(values):
        return cell.text.casefold() in NOTHING or bool(unsaid and re.fullmatch(unsaid, cell.text))
    for value in filter(None, values):
        zero = re.fullmatch(r"0(\.0+)?", value) and (grouped or not re.search(r"\d", cell.text))
        if not (zero or cell.holds(value) or (value == reader and re.search(r"\byou\b", cell.text))):
            return False
    return True


@pytest.mark.parametrize("one", LISTS, ids=[one.export for one in LISTS])
def test_a_list_is_exported_as_its_page_shows_it(
    reading: Callable[[Role], FlaskClient], house: Mapping[str, str], one: List
) -> None:
    person, (page, export) = reading(one.role), addresses(one, house, "csv")
    first = person.get(page)
    assert first.status_code == 200
    answer = person.get(export)
    assert answer.status_code == 200 and answer.headers["Content-Disposition"].startswith("attachment")
    head, rows = parsed(answer.text)
    assert one.filtered in head["Filter"]
    assert re.search(r"\d\d:\d\d:\d\d Europe/\w+ \(\d{4}-\d\d-\d\dT[\d:]+Z\)", head["As of"])
    assert head["rows"] == str(len(rows)) and rows, "a list without rows tells nothing"
    assert export.replace("&", "&amp;") in first.text, "the page does not offer it"
    assert all(harmless(value) == value for row in rows for value in row.values()), "a spreadsheet would compute it"

    # row by row and cell by cell: every column of the page is in the file, or is named
    table, complete = walked(person, page, one, rows[0])
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row[one.key])] if one.key else [
        [row] for row in rows
    ]  # fmt: skip
    assert table.rows and (len(table.rows) == len(groups) if complete else len(table.rows) < len(groups))
    for place, name in enumerate(table.heads):
        labels = labels_of(one, name, rows[0])
        assert labels or name in one.beside | ACTS, f"the file does not hold “{name}”"
        for cells, group in zip(table.rows, groups, strict=False):
            for row in group if labels else ():
                values = [row[label] for label in labels]
                said = shown(cells[place], values, head["Exported by"], one.unsaid, grouped=one.key is not None)
                assert said, f"{name}: {cells[place]} is not {values}"

    # the same rows as a workbook
    book = openpyxl.load_workbook(io.BytesIO(person.get(addresses(one, house, "xlsx")[1]).data), read_only=True)
    cells_of = [list(line) for line in book.worksheets[1].iter_rows()]
    assert not any(cell.data_type == "f" for line in cells_of for cell in line), "a spreadsheet would compute it"
    written = [[cell.value for cell in line] for line in cells_of]
    assert len(written) == len(rows) + 1
    texts = [place for place, (label, value) in enumerate(rows[0].items()) if written[0][place] == label]
    for cells_, row in zip(written[1:], rows, strict=True):
        for place in texts:
            # a sheet ends a row at its last value
            value, plain = (cells_[place] if place < len(cells_) else None), list(row.values())[place].removeprefix("'")
            if isinstance(value, str | None):
                assert (value or "") == plain


def test_every_list_can_be_made_as_work_of_the_background(
    furnished: Furnished, reading: Callable[[Role], FlaskClient], house: Mapping[str, str]
) -> None:
    """That calls the view again, without a browser, in a transaction that only reads."""
    app = furnished.app
    with app.app_context():
        members = {Role(one.role): staff_services.actor_of(one) for one in session().scalars(sa.select(StaffMember))}
        db.session.remove()
    for one in LISTS:
        address = addresses(one, house, "xlsx")[1]
        _, rows = parsed(reading(one.role).get(addresses(one, house, "csv")[1]).text)
        with app.test_request_context(address), one_snapshot(), describing() as found:
            g.actor = members[one.role]
            app.view_functions[request.endpoint or ""](**(request.view_args or {}))
            assert len(found) == 1, address
            read = list(found[0].rows())
            assert len(read) == len(rows) and found[0].expected in {None, len(rows)}, address
            assert all({column.key for column in found[0].listing.columns} <= set(row) for row in read), address


def test_every_export_of_a_list_is_in_the_table(furnished: Furnished) -> None:
    """A new one is compared with its page from its first day."""
    elsewhere = {
        # documents about one thing, with tests beside it
        "ledger.statement", "ledger.day_export", "reconciliation.report_file", "treasury.export",
        "treasury.figure_export", "statements.export", "statements.refused", "checks.export_findings",
    }  # fmt: skip
    nobody = "00000000-0000-7000-8000-000000000000"
    house = {"client": nobody, "opening": nobody}
    with furnished.app.test_request_context():
        adapter = furnished.app.url_map.bind("localhost")
        known = {adapter.match(addresses(one, house, "csv")[1].partition("?")[0])[0] for one in LISTS}
    missing = set()
    for rule in furnished.app.url_map.iter_rules():
        access = access_of(furnished.app, rule.endpoint)
        if access is None or access.audience is not None or access.permission is None or "GET" not in rule.methods:  # type: ignore[operator]
            continue
        if re.search(r"/export\b|[/.]<form>", rule.rule) and rule.endpoint not in elsewhere:
            missing.add(rule.endpoint)
    assert missing <= known, missing - known
    assert elsewhere <= set(furnished.app.view_functions), "declared, and not there"
