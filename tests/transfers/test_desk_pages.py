"""The desk for people: whose money is this, and how long have I got."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.database import db, session, transaction
from dashboard.ledger.models import Account
from dashboard.ledger.numbers import in_groups
from dashboard.ledger.queries.payments import numbers_of
from dashboard.transfers.models import Provider
from dashboard.transfers.services.desk import assigning, keeping
from tests.clients.making import activated, person
from tests.conftest import People
from tests.ledger.conftest import Book
from tests.transfers.receiving import PROVIDER, receipt, received, told
from tests.web.test_get_changes_nothing import watched

DESK = "/transfers/unrecognized"


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def desk(signed_in: Callable[..., FlaskClient]) -> FlaskClient:
    return signed_in(Role.OFFICER)


Counted = Callable[[], AbstractContextManager[list[str]]]


@pytest.fixture
def counted() -> Counted:
    """Statements that the database gets meanwhile."""

    @contextmanager
    def counting() -> Iterator[list[str]]:
        said: list[str] = []

        def before(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            said.append(statement)

        engine = db.engines[None]
        sa.event.listen(engine, "before_cursor_execute", before)
        try:
            yield said
        finally:
            sa.event.remove(engine, "before_cursor_execute", before)

    return counting


def listed(browser: FlaskClient, **filters: Any) -> list[UUID]:
    page = browser.get(DESK, query_string=filters, headers={"HX-Request": "true", "HX-Target": "list"})
    assert page.status_code == 200, page.text
    return [UUID(found) for found in re.findall(r'<tr class="rec"[^>]* data-id="([0-9a-f-]+)"', page.text)]


def account_of(book: Book, officer: Actor, people: People, **options: Any) -> UUID:
    client = activated(person(officer, **options), officer, people.actor(Role.SENIOR_OFFICER))
    return book.account(owner=client.id)


def test_the_list_is_by_deadline_late_first_then_larger_amounts(book: Book, desk: FlaskClient) -> None:
    told()
    small, large = received(book, 1_000), received(book, 9_000)
    late = received(book, 500, booked_at=clock.now() - timedelta(days=12))
    assert listed(desk) == [late, large, small]
    page = desk.get(DESK).text
    assert "105.00 EUR" in page and "3 items" in page and "1 late" in page
    assert "Jonas Petrauskas" in page and "Bank Alpha" in page


def test_a_decision_reads_back_and_posts_only_when_sent(
    book: Book, desk: FlaskClient, officer: Actor, people: People
) -> None:
    account = account_of(book, officer, people)
    money = received(book, 125_000)
    strip = desk.get(f"{DESK}/{money}/assign", query_string={"account": str(account)})
    assert strip.status_code == 200
    assert "1,250.00 EUR" in strip.text and "Mari Ilves" in strip.text and "Posts at once." in strip.text
    assert receipt(money).state == "open"
    seen = re.search(r'name="seen"[^>]*value="(\d+)"', strip.text)
    assert seen
    done = desk.post(f"{DESK}/{money}/assign", data={"account": str(account), "seen": seen[1]})
    assert done.status_code == 303, done.text
    assert receipt(money).state == "assigned"
    assert book.balance(account)[0] == 125_000
    page = desk.get(DESK).text
    assert "Assigned to LT" in page and f"{money}/undo" in page


def test_filters_stand_in_the_address_and_combine(book: Book, desk: FlaskClient) -> None:
    told()
    jonas = received(book, 125_000)
    lucja = received(book, 125_000, payer="Łucja Dąbrowska", text="faktura 77", account="PL61109010140000071219812874")
    pounds = received(book, 125_000, currency="gbp", payer="Harrow & Finch Ltd", text=None, account=None)
    assert listed(desk, currency="gbp") == [pounds]
    assert set(listed(desk, amount="1 250,00")) == {jonas, lucja, pounds}
    assert listed(desk, payer="dabrowska") == [lucja]
    assert listed(desk, payer="PL61 1090 1014") == [lucja]
    assert listed(desk, text="FAKTURA") == [lucja]
    assert listed(desk, text="faktura", currency="gbp") == []
    assert set(listed(desk, who="none")) == {jonas, lucja, pounds} and listed(desk, who="me") == []
    assert listed(desk, state="kept") == []
    page = desk.get(DESK, query_string={"payer": "nobody at all"})
    assert "3 items are hidden by filters" in page.text
    wrong = desk.get(DESK, query_string={"amount": "lots"})
    assert wrong.status_code == 422 and "Write an amount" in wrong.text


def test_pages_of_the_list_follow_each_other_without_gap(book: Book, desk: FlaskClient) -> None:
    made = [received(book, 1_000 + number) for number in range(53)]
    first = desk.get(DESK, headers={"HX-Request": "true", "HX-Target": "list"}).text
    following = re.search(r'href="(/transfers/unrecognized\?cursor=[^"]+)" rel="next"', first)
    assert following
    second = desk.get(following[1]).text
    ids = re.findall(r'<tr class="rec"[^>]* data-id="([0-9a-f-]+)"', first + second)
    assert ids == [str(one) for one in reversed(made)]
    assert 'rel="prev"' in second and 'rel="next"' not in second.split("</table>")[1][:900]
    assert desk.get(DESK, query_string={"cursor": "bent"}).status_code == 200


def test_one_page_takes_four_queries_however_many_rows(
    book: Book, desk: FlaskClient, officer: Actor, people: People, counted: Counted
) -> None:
    account = account_of(book, officer, people)
    told()
    for number in range(12):
        received(book, 1_000 + number)
    done = received(book, 500)
    with transaction():
        assigning.assign(done, account_id=account, comment=None, by=officer)
    listed(desk)
    with counted() as statements:
        assert len(listed(desk)) == 12
    about = [one for one in statements if "receipt" in one or "provider_message" in one]
    assert len(about) == 4, about


def test_a_receipt_beside_its_list_takes_few_queries_however_much_is_found(
    book: Book, desk: FlaskClient, officer: Actor, people: People, counted: Counted
) -> None:
    """One more of them costs half a millisecond on every page of the desk, whose goal is 50 for all together."""
    for number in range(3):
        account_of(book, officer, people, email=f"m{number}@ilves.example")
    told()
    for number in range(5):
        received(book, 1_000 + number, text=f"for Mari Ilves order {number}")
    open_one = received(book, text="from Mari Ilvse 20261129")
    desk.get(f"{DESK}/{open_one}")
    with counted() as statements:
        page = desk.get(f"{DESK}/{open_one}").text
    assert page.count('class="rec"') == 6 and page.count('id="cand-') == 3
    asked = [one for one in statements if one.startswith("SELECT")]
    assert len(asked) <= 20, asked


def test_what_the_bank_sent_is_escaped_wherever_it_stands(book: Book, desk: FlaskClient) -> None:
    evil = "<script>alert(1)</script>"
    money = received(book, payer=evil, text=f"{evil} '\"", account=None)
    for address in ("", f"/{money}", f"/{money}/return", f"/{money}/ask"):
        page = desk.get(DESK + address).text
        assert evil not in page and "&lt;script&gt;" in page
    assert "The file carries no payer account." in desk.get(f"{DESK}/{money}/return").text


def test_readers_see_the_desk_and_decide_nothing(book: Book, signed_in: Callable[..., FlaskClient]) -> None:
    money = received(book)
    auditor = signed_in(Role.AUDITOR)
    page = auditor.get(f"{DESK}/{money}")
    assert page.status_code == 200 and "Officers decide" in page.text and "Return…" not in page.text
    for act in ("assign", "return", "keep", "ask", "note", "reply", "undo", "rule", "screening", "take", "release"):
        assert auditor.post(f"{DESK}/{money}/{act}", data={"reason": "x"}).status_code == 403
    assert receipt(money).state == "open"
    assert signed_in(Role.ADMIN).get(DESK).status_code == 403


def test_money_that_is_not_there_answers_404(book: Book, desk: FlaskClient) -> None:
    for act in ("", "/assign", "/return", "/keep", "/ask", "/note", "/undo", "/rule", "/other"):
        assert desk.get(f"{DESK}/{uuid4()}{act}").status_code == 404


def test_above_the_limit_a_second_person_decides(
    book: Book, desk: FlaskClient, officer: Actor, people: People, signed_in: Callable[..., FlaskClient]
) -> None:
    account = account_of(book, officer, people)
    money = received(book, 1_500_000)
    address = f"{DESK}/{money}/assign"
    strip = desk.get(address, query_string={"account": str(account)}).text
    assert "goes to a second person (1 can decide)" in strip
    bare = desk.post(address, data={"account": str(account), "seen": "1"})
    assert bare.status_code == 422 and receipt(money).state == "open"
    asked = desk.post(address, data={"account": str(account), "seen": "1", "comment": "Contract seen"})
    assert asked.status_code == 303 and receipt(money).state == "waiting" and book.balance(account)[0] == 0
    assert "Approve…" not in desk.get(f"{DESK}/{money}").text and "Withdraw…" in desk.get(f"{DESK}/{money}").text
    senior = signed_in(Role.SENIOR_OFFICER)
    shown = senior.get(f"{DESK}/{money}").text
    approve = re.search(r'href="(/approvals/[0-9a-f-]+/approve)\?', shown)
    assert approve and "Contract seen" in shown
    grouped = in_groups(numbers_of([account])[account])
    effect = re.sub(r"<[^>]*>|\s+", " ", senior.get(approve[1]).text)
    assert "Account: Suspense" in re.sub(r" +", " ", effect) and grouped in effect and "none" not in effect
    assert senior.post(approve[1], data={"next": f"{DESK}/{money}"}).status_code == 303
    assert receipt(money).state == "assigned" and book.balance(account)[0] == 1_500_000
    # the log says who asked and who decided, and for which account
    log = desk.get(f"{DESK}/{money}").text
    assert "Asked to assign to Mari Ilves" in log and '<span class="kind">Assigned to Mari Ilves' in log


def test_a_faster_colleague_is_named_and_what_was_typed_stays(
    book: Book, desk: FlaskClient, officer: Actor, people: People
) -> None:
    account = account_of(book, officer, people)
    money = received(book)
    other = people.actor(Role.OFFICER, "Riina Kask")
    with transaction():
        assigning.assign(money, account_id=account, comment=None, by=other)
    for act, data in (
        ("keep", {"until": "2026-12-30", "reason": "My own words"}),
        ("assign", {"account": str(account), "comment": "My own words"}),
        ("ask", {"text": "My own words"}),
    ):
        late = desk.post(f"{DESK}/{money}/{act}", data={"seen": "1", **data})
        assert late.status_code == 422
        assert "Riina Kask assigned it to Mari Ilves" in late.text
        assert act == "assign" or "My own words" in late.text
    assert book.balance(account)[0] == 125_000


def test_a_change_that_still_allows_the_decision_is_shown_before_it_is_made(
    book: Book, desk: FlaskClient, people: People
) -> None:
    money = received(book)
    until = clock.calendar().add_days(clock.calendar().today(), 1)
    with transaction():
        keeping.keep(money, until=until, reason="Waiting for papers", by=people.actor(Role.OFFICER, "Riina Kask"))
    told_so = desk.post(f"{DESK}/{money}/ask", data={"seen": "1", "text": "Whom do you mean?"})
    assert told_so.status_code == 422 and "Riina Kask changed it meanwhile: it is kept now." in told_so.text
    seen = re.search(r'name="seen"[^>]*value="(\d+)"', told_so.text)
    assert seen
    assert desk.post(f"{DESK}/{money}/ask", data={"seen": seen[1], "text": "Whom do you mean?"}).status_code == 303
    assert receipt(money).state == "asked"


def test_after_the_deadline_the_reason_is_asked_for_and_kept(
    book: Book, desk: FlaskClient, officer: Actor, people: People
) -> None:
    account = account_of(book, officer, people)
    money = received(book, booked_at=clock.now() - timedelta(days=8))
    strip = desk.get(f"{DESK}/{money}/assign", query_string={"account": str(account)}).text
    assert "Why so late" in strip
    without = desk.post(f"{DESK}/{money}/assign", data={"account": str(account), "seen": "1"})
    assert without.status_code == 422 and "Say why it is decided late" in without.text
    data = {"account": str(account), "seen": "1", "late_reason": "The file came on Friday"}
    assert desk.post(f"{DESK}/{money}/assign", data=data).status_code == 303
    assert receipt(money).late_reason == "The file came on Friday"


def test_money_is_kept_asked_about_noted_and_taken_up_again(book: Book, desk: FlaskClient) -> None:
    money = received(book)
    until = clock.calendar().add_days(clock.calendar().today(), 1).isoformat()
    assert desk.post(f"{DESK}/{money}/keep", data={"until": until, "seen": "1"}).status_code == 422
    far = desk.post(f"{DESK}/{money}/keep", data={"until": "2027-12-30", "reason": "x", "seen": "1"})
    assert far.status_code == 422 and "beyond_reason" in far.text
    assert desk.post(f"{DESK}/{money}/keep", data={"until": until, "reason": "Papers", "seen": "1"}).status_code == 303
    assert receipt(money).state == "kept" and listed(desk, state="kept") == [money]
    assert desk.post(f"{DESK}/{money}/reopen").status_code == 303 and receipt(money).state == "open"
    letter = desk.get(f"{DESK}/{money}/ask").text
    assert "1,250.00 EUR" in letter and "inv 4410 ilves" in letter
    version = str(receipt(money).version)
    assert desk.post(f"{DESK}/{money}/ask", data={"text": "Whom?", "seen": version}).status_code == 303
    assert receipt(money).state == "asked"
    assert desk.post(f"{DESK}/{money}/note", data={"text": "Called <them>"}).status_code == 303
    page = desk.get(f"{DESK}/{money}").text
    assert "Called &lt;them&gt;" in page and "Asked the payer" in page and "Papers" in page


def test_a_reply_comes_with_a_file_that_is_only_ever_saved(book: Book, desk: FlaskClient) -> None:
    money, other = received(book), received(book)
    sent = {"text": "For Ilves", "file": (io.BytesIO(b"%PDF-1.4 paper"), '..\\"sąskaita.html')}
    assert desk.post(f"{DESK}/{money}/reply", data=sent, content_type="multipart/form-data").status_code == 303
    page = desk.get(f"{DESK}/{money}").text
    link = re.search(rf'href="({DESK}/{money}/files/[0-9a-f-]+)"', page)
    assert link and "For Ilves" in page
    file = desk.get(link[1])
    assert file.data == b"%PDF-1.4 paper" and file.headers["Content-Disposition"].startswith("attachment")
    assert file.headers["X-Content-Type-Options"] == "nosniff" and file.mimetype == "application/octet-stream"
    assert desk.get(link[1].replace(str(money), str(other))).status_code == 404
    program = {"file": (io.BytesIO(b"MZ\x00\x01"), "x.pdf")}
    refused = desk.post(f"{DESK}/{money}/reply", data=program, content_type="multipart/form-data")
    assert refused.status_code == 422 and "Only PDF" in refused.text
    assert desk.post(f"{DESK}/{money}/reply", data={"text": ""}).status_code == 422
    large = {"file": (io.BytesIO(b"%PDF-" + b"a" * 3_000_000), "large.pdf")}
    assert desk.post(f"{DESK}/{money}/reply", data=large, content_type="multipart/form-data").status_code == 303
    huge = {"file": (io.BytesIO(b"%PDF-" + b"a" * 5_300_000), "huge.pdf")}
    assert desk.post(f"{DESK}/{money}/reply", data=huge, content_type="multipart/form-data").status_code == 422


def test_undo_brings_it_back_with_the_same_clocks(
    book: Book, desk: FlaskClient, officer: Actor, people: People
) -> None:
    account = account_of(book, officer, people)
    money = received(book)
    before = receipt(money).allocate_by
    desk.post(f"{DESK}/{money}/assign", data={"account": str(account), "seen": "1"})
    assert "Undo: take" in desk.get(f"{DESK}/{money}/undo").text
    version = str(receipt(money).version)
    assert desk.post(f"{DESK}/{money}/undo", data={"seen": version}).status_code == 422
    assert desk.post(f"{DESK}/{money}/undo", data={"seen": version, "reason": "Wrong client"}).status_code == 303
    now = receipt(money)
    assert now.state == "open" and now.allocate_by == before and book.balance(account)[0] == 0
    assert "Wrong client" in desk.get(f"{DESK}/{money}").text
    owner = db.session.get(Account, account)
    assert owner is not None
    for page in (f"/transfers/{money}", f"/clients/{owner.owner_id}?tab=timeline"):
        told_of = desk.get(page).text
        assert "Decision undone" in told_of and "Receipt." not in told_of and "Wrong client" in told_of
    timeline = desk.get(f"/clients/{owner.owner_id}?tab=timeline").text
    assert f'<a href="/transfers/{money}">Incoming transfer 1,250.00 EUR from Jonas Petrauskas: Completed' in timeline


def test_what_the_client_has_spent_takes_a_second_person_to_undo(
    book: Book, desk: FlaskClient, officer: Actor, people: People
) -> None:
    account = account_of(book, officer, people)
    money = received(book)
    desk.post(f"{DESK}/{money}/assign", data={"account": str(account), "seen": "1"})
    book.pay(account, book.house(), 100_000)
    told_so = desk.post(f"{DESK}/{money}/undo", data={"reason": "Wrong client"})
    assert told_so.status_code == 422 and "Ask a second person" in told_so.text and "spent" in told_so.text
    assert desk.post(f"{DESK}/{money}/undo", data={"reason": "Wrong client", "ask": "1"}).status_code == 303
    assert receipt(money).state == "assigned" and "Undo the assignment" in desk.get(f"{DESK}/{money}").text


def test_a_rule_is_asked_for_after_an_assignment_approved_by_another_and_ended(
    book: Book, desk: FlaskClient, officer: Actor, people: People, signed_in: Callable[..., FlaskClient]
) -> None:
    account = account_of(book, officer, people)
    money = received(book)
    desk.post(f"{DESK}/{money}/assign", data={"account": str(account), "seen": "1"})
    assert "Always assign this payer" in desk.get(f"{DESK}/{money}").text
    assert desk.post(f"{DESK}/{money}/rule", data={"reason": "Pays monthly"}).status_code == 303
    rules = desk.get(f"{DESK}/rules").text
    assert "Waiting for approval" in rules and "Pays monthly" in rules
    request_id = re.search(r"/approvals/([0-9a-f-]{36})", rules)
    assert request_id
    assert signed_in(Role.SENIOR_OFFICER).post(f"/approvals/{request_id[1]}/approve").status_code == 303
    end = re.search(rf'href="({DESK}/rules/[0-9a-f-]+/end)"', desk.get(f"{DESK}/rules").text)
    assert end and "Jonas Petrauskas" in desk.get(end[1]).text
    assert desk.post(end[1], data={"reason": ""}).status_code == 422
    assert desk.post(end[1], data={"reason": "Left"}).status_code == 303
    assert desk.post(end[1], data={"reason": "Left"}).status_code == 422
    assert "Left" not in desk.get(f"{DESK}/rules").text and "Ended" in desk.get(f"{DESK}/rules?view=ended").text


def test_an_account_is_found_by_number_end_and_name(
    book: Book, desk: FlaskClient, officer: Actor, people: People
) -> None:
    account = account_of(book, officer, people)
    number = numbers_of([account])[account]
    money = received(book)
    for find in (number, number[-4:], "ilves"):
        page = desk.get(f"{DESK}/{money}/other", query_string={"find": find}).text
        assert f"account={account}" in page
    assert "No account of a client fits" in desk.get(f"{DESK}/{money}/other", query_string={"find": "zzzz"}).text


def test_a_return_needs_a_screening_first(book: Book, desk: FlaskClient) -> None:
    money = received(book)
    page = desk.get(f"{DESK}/{money}/return").text
    assert "Not screened yet." in page and "LT12 7300 0101 4407 7215" in page
    early = desk.post(f"{DESK}/{money}/return", data={"comment": "Nobody knows them", "seen": "1"})
    assert early.status_code == 422 and receipt(money).state == "open"
    bare = desk.post(f"{DESK}/{money}/screening", data={"list_name": "EU", "seen": "1"})
    assert bare.status_code == 422
    data = {
        "list_name": "EU consolidated",
        "list_version": "2026-11-27",
        "result": "hit",
        "note": "Same name",
        "seen": "1",
    }
    assert desk.post(f"{DESK}/{money}/screening", data=data).status_code == 303
    assert "a hit, nothing goes back" in desk.get(f"{DESK}/{money}/return").text
    data |= {"result": "falsePositive", "note": "Other birth date"}
    assert desk.post(f"{DESK}/{money}/screening", data=data).status_code == 303
    page = desk.get(f"{DESK}/{money}/return").text
    assert "false positive" in page and "Fee kept back, EUR" in page


def test_without_a_payers_account_it_is_said_whether_the_provider_takes_it_back(book: Book, desk: FlaskClient) -> None:
    money = received(book, account=None, reference="BA-77")
    data = {"list_name": "EU consolidated", "list_version": "2026-11-27", "result": "clear", "seen": "1"}
    assert desk.post(f"{DESK}/{money}/screening", data=data).status_code == 303
    page = desk.get(f"{DESK}/{money}/return").text
    assert "does not take money back by its reference" in page and "Fee kept back" not in page
    assert desk.post(f"{DESK}/{money}/return", data={"comment": "Not ours", "seen": "1"}).status_code == 422
    with transaction():
        session().get_one(Provider, PROVIDER).kind = "sandbox"
    page = desk.get(f"{DESK}/{money}/return").text
    assert "takes it back by its reference" in page and "BA-77" in page and "Fee kept back" in page


def test_a_return_is_offered_only_where_it_is_possible(book: Book, desk: FlaskClient) -> None:
    nameless = received(book, 7_500, payer=None, account=None)
    page = desk.get(f"{DESK}/{nameless}/return").text
    assert "does not take money back by its reference" in page
    assert "Add screening result" not in page and 'name="fee"' not in page


def test_a_required_reason_is_not_called_optional(
    book: Book, desk: FlaskClient, officer: Actor, people: People
) -> None:
    account = account_of(book, officer, people)
    strip = desk.get(f"{DESK}/{received(book, 1_500_000)}/assign", query_string={"account": str(account)}).text
    assert "Why, for the second person" in strip and "(optional)" not in strip


def test_one_takes_and_releases_and_a_colleague_is_named(
    book: Book, desk: FlaskClient, signed_in: Callable[..., FlaskClient]
) -> None:
    money = received(book)
    assert desk.post(f"{DESK}/{money}/take").status_code == 303 and listed(desk, who="me") == [money]
    other = signed_in(Role.OFFICER, "Riina Kask")
    answer = other.post(f"{DESK}/{money}/take", follow_redirects=True)
    assert "Officer has taken it meanwhile" in answer.text
    assert desk.post(f"{DESK}/{money}/release").status_code == 303 and listed(desk, who="me") == []


def test_the_export_holds_exactly_what_the_filters_show(book: Book, desk: FlaskClient) -> None:
    received(book, 125_000, payer="=cmd()")
    received(book, 5_000, currency="gbp")
    text = desk.get(f"{DESK}/export/csv?currency=eur").get_data(as_text=True)
    assert "1250.00" in text and "50.00,GBP" not in text and "\n=cmd" not in text
    assert desk.get(f"{DESK}/export/xlsx").data[:2] == b"PK"
    assert desk.get(f"{DESK}/export/pdf").status_code == 404


def test_an_empty_desk_says_when_something_last_came_in(desk: FlaskClient) -> None:
    assert "No incoming file yet" in desk.get(DESK).text
    told(clock.now() - timedelta(minutes=3))
    assert "No unrecognized money." in desk.get(DESK).text and "Bank Alpha" in desk.get(DESK).text


def test_no_page_of_the_desk_writes_when_it_is_only_read(
    book: Book, desk: FlaskClient, officer: Actor, people: People
) -> None:
    account = account_of(book, officer, people)
    money = received(book)
    with watched() as written:
        for act in ("", "/return", "/keep", "/ask", "/note", "/reply", "/undo", "/rule", "/other?find=ilves",
                    "/screening", f"/assign?account={account}"):  # fmt: skip
            assert desk.get(f"{DESK}/{money}{act}").status_code == 200
        assert desk.get(f"{DESK}/rules").status_code == 200
    assert not written
