"""A list that shows no row says why: beyond its end, before anybody looked, and every list has its row above it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from dashboard.access.permissions import Role
from dashboard.web.paging import Position
from tests.exports.reading import tables_of

TEMPLATES = Path(__file__).parents[2] / "templates"
FIRST, LAST = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"
EVER, NEVER = "0001-01-01T00:00:00+00:00", "9999-01-01T00:00:00+00:00"
OFFICER, SENIOR, TREASURER, ADMIN = Role.OFFICER, Role.SENIOR_OFFICER, Role.TREASURER, Role.ADMIN
#: the page, who reads it, the module that reads its cursor, and a place behind its last row
SEALED = [
    ("/jobs/log", ADMIN, "jobs.pages", [FIRST]),
    ("/jobs/log?state=failed", ADMIN, "jobs.pages", [FIRST]),
    ("/queues/client-review", OFFICER, "home.queue_pages", [NEVER, LAST]),
    ("/approvals?view=open", SENIOR, "approvals.pages", [EVER, FIRST]),
    ("/clients/{client}?tab=documents", OFFICER, "clients.documents.pages.tab", [FIRST]),
    ("/onboarding/events/replays", OFFICER, "onboarding.sumsub.replay_pages", [FIRST]),
    ("/onboarding/differences", OFFICER, "onboarding.pulling.pages.differences", [FIRST]),
    ("/onboarding/differences/runs", OFFICER, "onboarding.pulling.pages.differences", [FIRST]),
    ("/transfers/unrecognized/rules", OFFICER, "transfers.pages.rules", [FIRST]),
    ("/transfers/unrecognized/rules?view=ended", OFFICER, "transfers.pages.rules", [FIRST]),
    ("/transfers/providers/bank-files/files", TREASURER, "transfers.pages.providers", [FIRST]),
    ("/transfers/providers/bank-files/files?view=failed", TREASURER, "transfers.pages.providers", [FIRST]),
    ("/transfers/of/{client}/recipients", OFFICER, "transfers.pages.recipients", [FIRST]),
    ("/ledger/checks", TREASURER, "ledger.pages.checks", [FIRST]),
    ("/ledger/checks?view=open", TREASURER, "ledger.pages.checks", [FIRST]),
    ("/ledger/checks?view=closed", TREASURER, "ledger.pages.checks", [FIRST]),
    ("/ledger/opening-balances", TREASURER, "ledger.pages.opening", [FIRST]),
    ("/ledger/opening-balances/{opening}", TREASURER, "ledger.pages.opening", [1_000_000]),
    ("/treasury/checks", TREASURER, "treasury.checks.pages.overview", [FIRST]),
    ("/treasury/checks/alerts", TREASURER, "treasury.checks.pages.alerts", [FIRST]),
    ("/treasury/statements", TREASURER, "treasury.statements.pages.overview", [FIRST]),
    ("/staff?role=officer", ADMIN, "people.pages.members", ["\uffff", LAST]),
    ("/staff/tokens", ADMIN, "people.pages.tokens", [FIRST]),
    ("/staff/invitations?state=open", ADMIN, "people.pages.invitations", [FIRST]),
]
#: lists whose place stands in the address as it is
PLAIN = [
    ("/ledger/days", "before=2000-01-01", TREASURER),
    ("/treasury/accounts/pools", f"after={LAST}", TREASURER),
    ("/clients/deletions?state=requested", f"before=2000-01-01_{FIRST}", SENIOR),
]
#: parts of a page about one thing: the row above a list would stand in the midst of it
PARTS = {
    "ledger/_statement.html", "clients/_documents.html", "transfers/_recipients.html", "treasury/matching/_rows.html",
}  # fmt: skip


def test_beyond_the_end_of_a_list_it_says_so_and_leads_back_to_the_first_page_with_the_same_filters(
    reading: Callable[[Role], FlaskClient], house: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(page: str, beyond: str, role: Role) -> None:
        answer = reading(role).get(beyond)
        back = re.search(r'No more [a-z]+ in this direction\.</b> <a href="([^"]+)"', answer.text)
        assert answer.status_code == 200 and back, beyond
        assert unescape(back.group(1)) == page, beyond
        assert "in this direction" not in reading(role).get(page).text, page

    for page, role, module, key in SEALED:
        address = page.format(**house)
        with monkeypatch.context() as patch:
            patch.setattr(
                f"dashboard.{module}.unseal", lambda cursor, *, bound, key=key: Position(key) if cursor else None
            )
            check(address, f"{address}{'&' if '?' in address else '?'}cursor=x", role)
    for page, place, role in PLAIN:
        check(page, f"{page}{'&' if '?' in page else '?'}{place}", role)


def rows_and_neighbours(page: str) -> tuple[list[list[str]], dict[str, str]]:
    """The rows of a page, and the addresses of the pages before and after."""
    tables, _ = tables_of(page)
    found = re.findall(r'<a class="page-link" href="([^"]+)" rel="(prev|next)"', page)
    return [[cell.text for cell in row] for table in tables for row in table.rows], {
        rel: unescape(url) for url, rel in found
    }


def test_a_list_is_read_back_in_the_order_in_which_it_was_read(
    reading: Callable[[Role], FlaskClient], house: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = set()
    for page, role, module, _ in SEALED:
        if not hasattr(importlib.import_module(f"dashboard.{module}"), "DEFAULT_PAGE_SIZE"):
            continue
        with monkeypatch.context() as patch:
            patch.setattr(f"dashboard.{module}.DEFAULT_PAGE_SIZE", 1)
            pages, address = [], page.format(**house)
            for _ in range(3):
                rows, beside = rows_and_neighbours(reading(role).get(address).text)
                pages.append(rows)
                address = beside.get("next", "")
                if not address:
                    break
            if len(pages) < 3:
                continue
            back, _ = rows_and_neighbours(reading(role).get(beside["prev"]).text)
            assert back == pages[1] and len({str(rows) for rows in pages}) == 3, page
            read.add(page)
    assert "/transfers/providers/bank-files/files" in read and len(read) > 6, read


def test_what_a_page_shows_the_newest_of_leads_to_all_of_them(reading: Callable[[Role], FlaskClient]) -> None:
    found = re.search(r'href="([^"]+)">All exchanges</a>', reading(TREASURER).get("/transfers/exchange").text)
    assert found is not None
    answer = reading(TREASURER).get(unescape(found.group(1)))
    rows, _ = rows_and_neighbours(answer.text)
    assert answer.status_code == 200 and rows


def test_every_list_that_pages_has_the_row_above_it_and_offers_its_file(house: Mapping[str, str]) -> None:
    paging = [path for path in TEMPLATES.rglob("*.html") if "{{ pagination(" in path.read_text()]
    assert len(paging) > 30
    for path in paging:
        name, text = path.relative_to(TEMPLATES).as_posix(), path.read_text()
        if name != "ledger/_statement.html":
            # the account's page offers its statement
            assert re.search(r"\bExport\b", text) and re.search(r"XLSX|form\|upper|form in", text), name
        assert "{% include 'views/_bar.html' %}" in text or name in PARTS, name
    for name in PARTS:
        assert (TEMPLATES / name) in paging, f"{name} does not page"


def test_before_anybody_looked_nothing_is_said_to_be_right(signed_in: Callable[..., FlaskClient]) -> None:
    treasurer, officer = signed_in(Role.TREASURER), signed_in(Role.OFFICER)
    for browser, page, said, unsaid in (
        (treasurer, "/ledger/checks", "No check has run yet.", "No more runs"),
        (treasurer, "/ledger/checks?view=open", "No check has finished yet, so nothing is known.", "No finding is"),
        (treasurer, "/ledger/checks?view=closed", "No check has finished yet, so nothing is known.", "No finding has"),
        (treasurer, "/treasury/checks", "No check has run yet, so nothing is known.", "No run of this day"),
        (treasurer, "/treasury/checks/alerts", "No daily check has finished yet", "has been settled"),
        (treasurer, "/treasury/breaks", "Nothing was compared yet", "No unresolved breaks"),
        (officer, "/onboarding/differences", "Nothing is known yet.", "No difference is open."),
        (officer, "/onboarding/differences?state=all", "Nothing is known yet.", "No difference was found"),
        (officer, "/onboarding/differences?field=labels", "no comparison has ended yet", "filters.</b>"),
        (treasurer, "/treasury/breaks?kind=amountDiffers", "Nothing was compared yet", "Nothing fits"),
        (officer, "/onboarding/differences/runs", "No comparison has run yet.", "No more comparisons"),
    ):
        text = browser.get(page).text
        assert said in text and unsaid not in text, page
