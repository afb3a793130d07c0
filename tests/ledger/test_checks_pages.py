"""The page of balance checks: runs, progress, findings, and asking for a second person."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.approvals.models import ApprovalRequest
from dashboard.background import services as work
from dashboard.background.models import BackgroundJob
from dashboard.database import new_id, session, transaction
from dashboard.ledger.models import BalanceCheck, BalanceFinding
from dashboard.ledger.services import checking
from dashboard.ledger.vocabulary import CheckScope
from tests.conftest import People
from tests.ledger.conftest import Book

PAGE = "/ledger/checks"


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True)))


def found(book: Book, *, posted: int = 100, held: int = 0, money: int = 5_000, **account: Any) -> BalanceFinding:
    """A finding as a check would have written it."""
    account_id = book.account(money, **account)
    with transaction():
        check = checking.begin(new_id(), CheckScope.FULL, job_id=None, by=system())
        finding = BalanceFinding(
            id=new_id(), check_id=check.id, account_id=account_id, found_at=check.started_at,
            stored_posted=money + posted, stored_held=held, rebuilt_posted=money, rebuilt_held=0, state="open",
        )  # fmt: skip
        session().add(finding)
        checking.finish(check.id, accounts=1, differences=1, by=system())
    return finding


def ran(differences: int = 0, accounts: int = 3, *, finished: bool = True) -> None:
    with transaction():
        check = checking.begin(new_id(), CheckScope.TOUCHED, job_id=None, by=system("nightly check"))
        if finished:
            checking.finish(check.id, accounts=accounts, differences=differences, by=system())


def test_before_the_first_check_nothing_is_said_to_agree(signed_in: Callable[..., FlaskClient]) -> None:
    treasurer = signed_in(Role.TREASURER)
    page = text_of(treasurer.get(PAGE))
    assert "No check has run yet." in page
    assert "Passed" not in page and "0 differences" not in page
    assert "nothing is known" in text_of(treasurer.get(f"{PAGE}?view=open"))
    assert "nothing is known" in text_of(treasurer.get(f"{PAGE}?view=closed"))


def test_runs_are_listed_with_what_they_found(book: Book, signed_in: Callable[..., FlaskClient]) -> None:
    ran(0)
    ran(2)
    ran(finished=False)
    page = text_of(signed_in(Role.TREASURER).get(PAGE))
    assert page.index("Running") < page.index("2 differences") < page.index("Passed")
    assert "nightly check" in page
    # a check that has not looked at everything says nothing about what it has not seen
    assert "not known" in page


def test_many_runs_come_page_by_page(book: Book, signed_in: Callable[..., FlaskClient]) -> None:
    for number in range(53):
        ran(accounts=1_000 + number)
    browser = signed_in(Role.TREASURER)
    first = browser.get(PAGE)
    assert "1,052" in text_of(first) and "1,002" not in text_of(first)
    following = re.search(r'href="([^"]+)" rel="next"', first.get_data(as_text=True))
    assert following
    second = browser.get(following.group(1).replace("&amp;", "&"))
    assert "1,002" in text_of(second) and "1,003" not in text_of(second)
    back = re.search(r'href="([^"]+)" rel="prev"', second.get_data(as_text=True))
    assert back and "1,052" in text_of(browser.get(back.group(1).replace("&amp;", "&")))


def test_a_cursor_of_another_list_is_refused_in_words(book: Book, signed_in: Callable[..., FlaskClient]) -> None:
    ran()
    answer = signed_in(Role.TREASURER).get(f"{PAGE}?cursor=abc")
    assert answer.status_code == 400
    assert "no longer valid" in text_of(answer)


def test_a_finding_shows_stored_rebuilt_and_the_difference(book: Book, signed_in: Callable[..., FlaskClient]) -> None:
    found(book, posted=123_456, held=50, money=1_000)
    page = text_of(signed_in(Role.TREASURER).get(PAGE))
    for words in ("1,244.56 EUR", "10.00 EUR", "−1,234.56 EUR", "held −0.50 EUR", "Let the rebuilt value stand…"):
        assert words in page, words


def test_who_only_reads_is_offered_nothing(book: Book, signed_in: Callable[..., FlaskClient]) -> None:
    finding = found(book)
    for role in (Role.AUDITOR, Role.OFFICER):
        reader = signed_in(role)
        page = reader.get(PAGE)
        assert page.status_code == 200
        assert "Let the rebuilt value stand" not in text_of(page)
        assert "Check all accounts" not in text_of(page)
        assert reader.post(PAGE, data={"scope": "full"}).status_code == 403
        accept = f"{PAGE}/findings/{finding.id}/accept"
        assert reader.get(accept).status_code == reader.post(accept, data={"reason": "x"}).status_code == 403
    assert signed_in(Role.ADMIN).get(PAGE).status_code == 403
    assert session().scalar(sa.select(sa.func.count()).select_from(BackgroundJob)) == 0


@pytest.mark.parametrize("scope", ["touched", "full"])
def test_a_check_is_started_from_the_page_and_shows_its_progress(
    book: Book, signed_in: Callable[..., FlaskClient], scope: str
) -> None:
    browser = signed_in(Role.TREASURER)
    answer = browser.post(PAGE, data={"scope": scope})
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    page = browser.get(PAGE)
    assert "Waiting to start" in text_of(page)
    assert 'hx-trigger="every 2s"' in page.get_data(as_text=True)
    assert "Check all accounts" not in text_of(page).replace("“Check all accounts”", "")
    with transaction():
        claimed = work.claim([checking.CHECK])
        assert claimed is not None and claimed.arguments["scope"] == scope
        work.report(claimed, done=12_000, total=1_000_000, checkpoint=None)
    part = browser.get(f"{PAGE}/progress", headers={"HX-Request": "true"})
    assert "12,000 of 1,000,000" in text_of(part)
    assert '<progress max="1000000" value="12000"' in part.get_data(as_text=True)
    assert "<html" not in part.get_data(as_text=True)
    assert "HX-Refresh" not in part.headers
    with transaction():
        work.succeed(claimed, {"accounts": 1, "differences": 0})
    # when it has ended, the page is loaded again and polls no more
    assert browser.get(f"{PAGE}/progress", headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"
    assert "every 2s" not in browser.get(PAGE).get_data(as_text=True)


def test_a_check_that_failed_says_so(book: Book, signed_in: Callable[..., FlaskClient]) -> None:
    browser = signed_in(Role.TREASURER)
    browser.post(PAGE, data={"scope": "full"})
    with transaction():
        claimed = work.claim([checking.CHECK])
        assert claimed is not None
        work.fail(claimed, "The disk is full.", again=False)
    page = text_of(browser.get(PAGE))
    assert "The last check failed." in page and "The disk is full." in page


def test_a_check_is_canceled_from_the_page(book: Book, signed_in: Callable[..., FlaskClient]) -> None:
    browser = signed_in(Role.TREASURER)
    browser.post(PAGE, data={"scope": "full"})
    job_id = session().scalar(sa.select(BackgroundJob.id))
    assert browser.post(f"{PAGE}/jobs/{job_id}/cancel").status_code == 303
    session().expire_all()
    assert session().scalar(sa.select(BackgroundJob.state)) == "canceled"
    assert "Waiting to start" not in text_of(browser.get(PAGE))
    again = browser.post(f"{PAGE}/jobs/{job_id}/cancel", follow_redirects=True)
    assert "had ended already" in text_of(again)
    assert signed_in(Role.AUDITOR).post(f"{PAGE}/jobs/{job_id}/cancel").status_code == 403


def test_starting_another_scope_while_one_waits_says_so(book: Book, signed_in: Callable[..., FlaskClient]) -> None:
    browser = signed_in(Role.TREASURER)
    browser.post(PAGE, data={"scope": "full"})
    answer = browser.post(PAGE, data={"scope": "touched"}, follow_redirects=True)
    assert "Another check is under way." in text_of(answer)
    assert session().scalar(sa.select(sa.func.count()).select_from(BackgroundJob)) == 1


def test_a_scope_that_is_none_is_refused(book: Book, signed_in: Callable[..., FlaskClient]) -> None:
    assert signed_in(Role.TREASURER).post(PAGE, data={"scope": "chosen"}).status_code == 422
    assert session().scalar(sa.select(sa.func.count()).select_from(BackgroundJob)) == 0


def test_letting_the_rebuilt_value_stand_asks_a_second_person_who_sees_both(
    book: Book, signed_in: Callable[..., FlaskClient]
) -> None:
    finding = found(book, posted=250, money=10_000)
    browser = signed_in(Role.TREASURER)
    accept = f"{PAGE}/findings/{finding.id}/accept"
    dialog = text_of(browser.get(accept, headers={"HX-Request": "true"}))
    assert "102.50 EUR" in dialog and "100.00 EUR" in dialog and "−2.50 EUR posted" in dialog
    refused = browser.post(accept, data={"reason": " "})
    assert refused.status_code == 422 and "Say why." in text_of(refused)
    assert session().scalar(sa.select(sa.func.count()).select_from(ApprovalRequest)) == 0
    answer = browser.post(accept, data={"reason": "restored from a backup"})
    assert answer.status_code == 303
    request = session().scalars(sa.select(ApprovalRequest)).one()
    assert request.kind == "ledger.accept-rebuilt"
    page = text_of(browser.get(PAGE))
    assert "Waiting for approval" in page and "Let the rebuilt value stand" not in page
    seen = text_of(signed_in(Role.SENIOR_TREASURER).get(f"/approvals/{request.id}"))
    assert "Posted: 102.50 EUR → to 100.00 EUR" in seen
    assert "restored from a backup" in seen and "posted −2.50 EUR" in seen
    again = browser.post(accept, data={"reason": "once more"})
    assert again.status_code == 409 and "asked already" in text_of(again)
    assert f"/approvals/{request.id}" in browser.get(accept).get_data(as_text=True)


def test_a_closed_finding_is_listed_with_how_it_was_closed_and_not_asked_about(
    book: Book, signed_in: Callable[..., FlaskClient]
) -> None:
    finding = found(book)
    with transaction():
        finding.state, finding.closed_at = "gone", finding.found_at
    browser = signed_in(Role.TREASURER)
    assert "Gone by itself" in text_of(browser.get(f"{PAGE}?view=closed"))
    accept = f"{PAGE}/findings/{finding.id}/accept"
    assert "Ask to let it stand" not in text_of(browser.get(accept))
    assert browser.post(accept, data={"reason": "late"}).status_code == 409
    assert browser.get(f"{PAGE}/findings/{new_id()}/accept").status_code == 404


def test_more_findings_than_fit_have_a_list_of_their_own(book: Book, signed_in: Callable[..., FlaskClient]) -> None:
    for number in range(12):
        found(book, posted=1_000 + number)
    browser = signed_in(Role.TREASURER)
    assert "All 12" in text_of(browser.get(PAGE))
    assert text_of(browser.get(f"{PAGE}?view=open")).count("Let the rebuilt value stand…") == 12


def test_the_page_takes_as_many_queries_for_ten_findings_as_for_one(
    app: Flask, book: Book, signed_in: Callable[..., FlaskClient], people: People
) -> None:
    browser = signed_in(Role.TREASURER)

    def queries() -> int:
        count = 0

        def one(*_: Any) -> None:
            nonlocal count
            count += 1

        connection = session().connection().engine
        sa.event.listen(connection, "before_cursor_execute", one)
        try:
            assert browser.get(PAGE).status_code == 200
        finally:
            sa.event.remove(connection, "before_cursor_execute", one)
        return count

    found(book)
    browser.get(PAGE)
    first = queries()
    for _ in range(9):
        found(book)
    assert queries() == first
    assert session().scalar(sa.select(sa.func.count()).select_from(BalanceCheck)) == 10
