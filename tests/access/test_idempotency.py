"""`Idempotency-Key`, clause by clause: the same request sent twice is done once and answered alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import simplejson
import sqlalchemy as sa
from flask import Flask

from dashboard import clock, database, direct
from dashboard.access import idempotency, tokens
from dashboard.access.models import IdempotencyKey
from dashboard.access.permissions import Audience
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients.models import Client
from dashboard.database import db, new_id, session, transaction
from dashboard.ledger.api import payments as operations
from dashboard.ledger.models import OneTimePassword, Payment
from dashboard.ledger.services import one_time_passwords
from dashboard.onboarding.schemas import _PERSON
from dashboard.settings import Settings
from tests.conftest import Databases, Machine
from tests.ledger.committing import application
from tests.ledger.conftest import Book
from tests.ledger.invariants import broken

PAY, DRAFT = "/internal/Payments", "/internal/Payments/draft"
CLIENTS, IMPORT = "/internal/Clients", "/integration/clients/individuals"


@pytest.fixture
def book(app: Flask) -> Book:
    return Book()


@pytest.fixture
def teller(machine: Callable[..., Machine]) -> Machine:
    return machine(Audience.SYSTEM)


def ask(caller: Machine, path: str, body: Any, key: str | None = None, method: str = "POST", **options: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    text = body if isinstance(body, str | bytes) else simplejson.dumps(body, use_decimal=True)
    options.setdefault("content_type", "application/json")
    return caller.call(method, path, data=text, headers=headers, **options)


def heard(answer: Any) -> tuple[int, str, bytes]:
    return answer.status_code, answer.content_type, answer.data


def count(of: Any, *where: Any) -> int:
    found = session().scalar(sa.select(sa.func.count()).select_from(of).where(*where))
    session().commit()
    return int(found or 0)


def payment(debtor: UUID, creditor: UUID, amount: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "parentId": str(uuid4()), "parentType": "transfer", "debtorAccountId": str(debtor),
        "creditorAccountId": str(creditor), "currency": "eur", "amount": amount, **changes,
    }  # fmt: skip


def several(**changes: Any) -> dict[str, Any]:
    body = payment(**changes)
    frame = {name: body.pop(name) for name in ("parentId", "parentType")}
    return {**frame, "transactions": [body, {**body, "amount": 2}]}


PERSON = {"type": "individual", "firstName": "Anna", "lastName": "Ozola"}


class Case:
    """An operation that creates or moves: how it is asked, and how often it was done."""

    def __init__(self, name: str, book: Book, machine: Callable[..., Machine]) -> None:
        self.caller = machine(Audience.INTEGRATION if name == "ON-01" else Audience.SYSTEM)
        sides = {"debtor": book.account(10_000), "creditor": book.account()}
        self.path: str
        self.body: Any
        self.table: Any = Payment
        self.made = 1
        if name in ("GL-30", "GL-30 in the usual way", "G2-03"):
            self.path = "/v2/internal/Payments" if name == "G2-03" else PAY
            self.body = payment(**sides) | ({"purpose": "fee"} if name == "GL-30 in the usual way" else {})
        elif name == "GL-31":
            self.path, self.body = DRAFT, several(**sides)
        elif name in ("batch", "batch in the usual way"):
            more = {} if name == "batch" else {"purpose": "fee"}
            self.path, self.made = f"{PAY}/batch", 2
            self.body = {"payments": [payment(**sides, **more), payment(**sides, **more)]}
        elif name == "CP-03":
            self.path, self.body, self.table = CLIENTS, PERSON, Client
        else:
            self.path, self.body, self.table = IMPORT, {**_PERSON, "externalId": str(uuid4())}, Client
        # the token's first use in a minute takes a way of its own
        self.caller.call("GET", f"{CLIENTS}?pageSize=1")
        self.before = count(self.table)

    def ask(self, key: str | None, body: Any = None) -> Any:
        return ask(self.caller, self.path, self.body if body is None else body, key)

    def done(self) -> int:
        return count(self.table) - self.before


CASES = [
    "GL-30", "GL-30 in the usual way", "G2-03", "GL-31", "batch", "batch in the usual way", "CP-03", "ON-01",
]  # fmt: skip


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, book: Book, machine: Callable[..., Machine]) -> Case:
    return Case(request.param, book, machine)


def test_the_same_request_again_is_answered_byte_for_byte_and_not_done_again(case: Case) -> None:
    first = case.ask("once")
    assert first.status_code == 200
    assert "Idempotent-Replayed" not in first.headers
    for _ in range(2):
        again = case.ask("once")
        assert heard(again) == heard(first)
        assert again.headers["Idempotent-Replayed"] == "true"
    assert case.done() == case.made
    assert broken() == []


def test_another_body_under_the_same_key_is_a_conflict_even_if_only_a_space_differs(case: Case) -> None:
    assert case.ask("once").status_code == 200
    for other in (simplejson.dumps(case.body) + " ", simplejson.dumps({**case.body, "unknown": 1})):
        answer = case.ask("once", other)
        assert answer.status_code == 409
        code = answer.json.get("code") or answer.json["errors"][0]["metadata"]["code"]
        assert code == "keyReused"
    assert case.done() == case.made
    assert case.ask("once").status_code == 200


def test_a_key_that_is_none_is_refused_and_nothing_is_done(case: Case) -> None:
    for key in ("", " ", "a b", "x" * 201, "schlüssel", "tab\tin", "\x7f"):
        answer = case.ask(key.encode().decode("latin-1"))
        assert answer.status_code == 400, key
        told = answer.json["errors"][0]
        assert (told.get("field") or told["metadata"]["field"]) == "Idempotency-Key"
    assert case.done() == 0


def test_a_key_of_two_hundred_visible_characters_is_taken(case: Case) -> None:
    key = "!~" * 100
    assert heard(case.ask(key)) == heard(case.ask(key))
    assert case.done() == case.made


def test_a_failure_of_ours_keeps_nothing_and_the_next_try_does_it(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails at the very end, when the work itself is done already: that goes too."""

    def fail(*_arguments: Any) -> None:
        raise RuntimeError("the disk is full")

    keys = count(IdempotencyKey)
    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "remember", fail)
        # the quick way has no such place: here it is only that the usual one is taken
        for quick in ("quick", "quick_batches"):
            patched.setattr(f"dashboard.ledger.api.{quick}.plain_orders", lambda _items: None)
        assert case.ask("once").status_code == 500
    assert case.done() == 0
    assert count(IdempotencyKey) == keys
    first = case.ask("once")
    assert first.status_code == 200
    assert heard(case.ask("once")) == heard(first)
    assert case.done() == case.made


def test_a_failure_within_the_work_takes_the_money_back_and_keeps_no_key(
    teller: Machine, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer, taker = book.account(10_000), book.account()
    body = payment(payer, taker, purpose="fee")
    with monkeypatch.context() as patched:
        patched.setattr(operations, "made_dto", None)
        assert ask(teller, PAY, body, "once").status_code == 500
    assert (book.balance(taker), count(IdempotencyKey)) == ((0, 0), 0)
    assert ask(teller, PAY, body, "once").status_code == 200
    assert book.balance(taker) == (100, 0)


# --- refusals are answers ----------------------------------------------------------------------------------------


def test_a_refusal_stays_the_answer_when_the_world_has_moved_on(teller: Machine, book: Book) -> None:
    payer, taker = book.account(0), book.account()
    body = payment(payer, taker, 5)
    first = ask(teller, PAY, body, "poor")
    assert (first.status_code, first.json["code"]) == (422, "insufficientFunds")
    book.pay(book.house(), payer, 1_000)
    again = ask(teller, PAY, body, "poor")
    assert heard(again) == heard(first)
    assert book.balance(taker) == (0, 0)
    assert ask(teller, PAY, body, "rich").status_code == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"amount": 0}, 400),
        ({"currency": "xxx"}, 400),
        ({"unknown": 1}, 400),
        ({"creditorAccountId": str(uuid4())}, 404),
    ],
)
def test_every_kind_of_refusal_is_kept(teller: Machine, book: Book, changes: dict[str, Any], status: int) -> None:
    body = payment(book.account(1_000), book.account(), **changes)
    first = ask(teller, PAY, body, "wrong")
    assert first.status_code == status
    assert heard(ask(teller, PAY, body, "wrong")) == heard(first)
    right = ask(teller, PAY, payment(book.account(1_000), book.account()), "wrong")
    assert (right.status_code, right.json["code"]) == (409, "keyReused")


def test_an_answer_stays_as_it_was_when_its_payment_went_on(teller: Machine, book: Book) -> None:
    body = several(debtor=book.account(10_000), creditor=book.account())
    first = ask(teller, DRAFT, body, "draft")
    path = f"{PAY}/{first.json['paymentId']}"
    pended = ask(teller, f"{path}/pend", {}, "step")
    assert pended.status_code == 200
    assert ask(teller, f"{path}/post", {}, "step").status_code == 200
    assert heard(ask(teller, f"{path}/pend", {}, "step")) == heard(pended)
    assert heard(ask(teller, DRAFT, body, "draft")) == heard(first)
    other = ask(teller, f"{path}/pend", {}, "another")
    assert (other.status_code, other.json["errors"][0]["metadata"]["code"]) == (422, "invalidState")


def test_a_request_for_approval_that_was_opened_under_a_key_is_kept_and_opened_once(
    teller: Machine, book: Book
) -> None:
    before = count(ApprovalRequest)
    body = payment(book.account(1_000), book.account(), parentType="adjustingPayment")
    first = ask(teller, PAY, body, "adjust")
    assert (first.status_code, first.json["code"]) == (403, "approvalRequired")
    assert heard(ask(teller, PAY, body, "adjust")) == heard(first)
    assert count(ApprovalRequest, ApprovalRequest.id == first.json["requestId"]) == 1
    payment_id = book.pay(book.account(1_000), book.account(), 100)
    path = f"{PAY}/{payment_id}/reverse"
    reversal = ask(teller, path, {"reason": "twice"}, "reverse")
    assert (reversal.status_code, reversal.json["code"]) == (403, "approvalRequired")
    assert heard(ask(teller, path, {"reason": "twice"}, "reverse")) == heard(reversal)
    assert count(ApprovalRequest) == before + 2


def test_tries_are_counted_by_a_refusal_under_a_key_and_not_by_its_repetition(
    teller: Machine, machine: Callable[..., Machine], book: Book
) -> None:
    client_id = UUID(ask(teller, CLIENTS, PERSON).json["value"]["id"])
    mine = machine(Audience.FRONTOFFICE, client_id=client_id)
    moment, password_id = clock.now(), new_id()
    with transaction():
        session().add(
            OneTimePassword(
                id=password_id, owner_id=client_id, operation="closeAccount",
                subject_id=book.account(owner=client_id), salt="salt",
                code_hash=one_time_passwords._hash("salt", "123456"), created_at=moment,
                expires_at=moment + timedelta(minutes=5), tries=0, delivered_at=moment,
            )
        )  # fmt: skip
    body = {"id": str(password_id), "code": "654321"}
    path = "/Accounts/otp-verification"
    first = ask(mine, path, body, "guess")
    assert (first.status_code, first.json["code"]) == (422, "wrongCode")
    assert heard(ask(mine, path, body, "guess")) == heard(first)
    tries = sa.select(OneTimePassword.tries).where(OneTimePassword.id == password_id)
    assert session().scalar(tries) == 1
    ask(mine, path, body, "guess-again")
    assert session().scalar(tries) == 2
    right = ask(mine, path, {**body, "code": "123456"}, "known")
    assert right.status_code == 200
    assert heard(ask(mine, path, {**body, "code": "123456"}, "known")) == heard(right)
    assert session().scalar(tries) == 3


# --- whose key it is ---------------------------------------------------------------------------------------------


def test_a_key_belongs_to_its_token(machine: Callable[..., Machine], book: Book) -> None:
    payer, taker = book.account(1_000), book.account()
    for number in (1, 2):
        caller = machine(Audience.SYSTEM)
        assert ask(caller, PAY, payment(payer, taker), "same").status_code == 200
        assert book.balance(taker) == (number * 100, 0)


def test_a_key_belongs_to_its_path_and_method(teller: Machine, machine: Callable[..., Machine], book: Book) -> None:
    payer, taker = book.account(1_000), book.account()
    assert ask(teller, PAY, payment(payer, taker), "same").status_code == 200
    assert ask(teller, f"/v2{PAY}", payment(payer, taker), "same").status_code == 200
    assert ask(teller, CLIENTS, PERSON, "same").status_code == 200
    client_id = UUID(ask(teller, CLIENTS, PERSON).json["value"]["id"])
    mine, path = machine(Audience.FRONTOFFICE, client_id=client_id), f"/Accounts/{book.account(owner=client_id)}"
    named = ask(mine, path, {"alias": "Rent"}, "same", method="PATCH")
    assert named.status_code == 200
    closing = ask(mine, path, {}, "same", method="DELETE")
    assert (closing.status_code, closing.json["code"]) == (403, "oneTimePasswordRequired")
    assert heard(ask(mine, path, {"alias": "Rent"}, "same", method="PATCH")) == heard(named)


def test_without_a_key_each_request_is_its_own(teller: Machine) -> None:
    ids = {ask(teller, CLIENTS, PERSON).json["value"]["id"] for _ in range(3)}
    assert len(ids) == 3
    assert count(IdempotencyKey) == 0


def test_a_key_means_nothing_to_an_operation_that_only_reads(teller: Machine) -> None:
    for path, body in (("/v2/ledger/internal/Accounts/search", {}), ("/internal/Transactions/query", {})):
        assert ask(teller, path, body, "look").status_code == 200
        assert ask(teller, path, {"pageSize": 5}, "look").status_code == 200
    assert teller.call("GET", CLIENTS, headers={"Idempotency-Key": "not\u00a0one"}).status_code == 200
    assert count(IdempotencyKey) == 0


def test_who_may_not_takes_no_key(machine: Callable[..., Machine], book: Book) -> None:
    reader = machine(Audience.SYSTEM, scopes=["ledger:read"])
    body = payment(book.account(1_000), book.account())
    assert ask(reader, PAY, body, "same").status_code == 403
    assert ask(reader, PAY, body, "same", content_type="text/plain").status_code == 403
    assert count(IdempotencyKey) == 0


def test_a_key_is_kept_for_seven_days_and_no_longer(teller: Machine, book: Book) -> None:
    body = payment(book.account(1_000), book.account())
    first = ask(teller, PAY, body, "week")

    def aged(by: timedelta) -> int:
        with transaction():
            session().execute(sa.update(IdempotencyKey).values(created_at=clock.now() - by))
            return idempotency.sweep()

    assert aged(timedelta(days=7) - timedelta(minutes=1)) == 0
    assert heard(ask(teller, PAY, body, "week")) == heard(first)
    assert aged(timedelta(days=7, seconds=1)) == 1
    late = ask(teller, PAY, body, "week")
    # the key is forgotten, the payment is not
    assert (late.status_code, late.json["code"]) == (409, "paymentExists")
    assert late.json["paymentId"] == first.json["paymentId"]


# --- at the same moment, with real commits -----------------------------------------------------------------------

#: how long a request waits for the first with its key, in the tests
PATIENCE_MS = 1300


def test_a_request_waits_five_seconds_for_the_first_with_its_key(configured: Settings) -> None:
    assert "-c lock_timeout=5000" in database.engine_options(configured)["connect_args"]["options"]


@pytest.fixture(scope="module")
def bank(databases: Databases, configured: Settings) -> Iterator[Flask]:
    original = database.engine_options

    def hurried(settings: Settings) -> dict[str, Any]:
        options = original(settings)
        known = options["connect_args"]["options"]
        options["connect_args"]["options"] = known.replace("lock_timeout=5000", f"lock_timeout={PATIENCE_MS}")
        return options

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(database, "engine_options", hurried)
        patched.setattr(direct, "engine_options", hurried)
        with application(databases, configured, threads=12) as app:
            yield app


@pytest.fixture
def open_book(bank: Flask) -> Iterator[Book]:
    with bank.app_context():
        yield Book()
        session().rollback()
        assert broken() == []


@pytest.fixture
def open_machine(bank: Flask, open_book: Book) -> Callable[..., Machine]:
    def make(audience: Audience) -> Machine:
        with transaction():
            scopes = tokens.resolve_scopes(audience, [])
            token, secret = tokens.create(audience=audience, scopes=scopes, name="at once")
        return Machine(bank.test_client(), secret, token.id)

    return make


@pytest.fixture
def beside(bank: Flask, open_book: Book) -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own, for whoever holds something."""
    url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        yield connection
        connection.rollback()


def together(jobs: list[Callable[[], Any]]) -> list[Any]:
    results: list[Any] = [None] * len(jobs)
    start = threading.Barrier(len(jobs))

    def run(index: int) -> None:
        start.wait()
        results[index] = jobs[index]()

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def another(bank: Flask, machine: Machine) -> Machine:
    """The same token on another connection."""
    return Machine(bank.test_client(), machine.secret, machine.token_id)


@pytest.mark.parametrize(("name", "turn"), [*((name, 0) for name in CASES), ("GL-30", 1)])
def test_the_same_request_from_eight_connections_at_once_is_done_once(
    bank: Flask, open_book: Book, open_machine: Callable[..., Machine], name: str, turn: int
) -> None:
    case = Case(name, open_book, open_machine)
    if turn:
        # a token that nobody used for a minute: the first takes the usual way, and the others may be quicker
        with transaction():
            session().execute(sa.text("UPDATE api_token SET last_used_at = NULL"))
    callers = [another(bank, case.caller) for _ in range(8)]
    answers = together([lambda c=caller: heard(ask(c, case.path, case.body, "once")) for caller in callers])
    assert answers[0][0] == 200, answers[0]
    assert set(answers) == {answers[0]}
    assert case.done() == case.made


def _key_of_the_first(beside: psycopg.Connection[Any], machine: Machine, path: str, text: str, key: str) -> None:
    """What the first request with the key has written and not yet committed."""
    import hashlib

    beside.execute(
        "INSERT INTO idempotency_key (token_id, method, path, key, body_hash, status, content_type, answer, created_at)"
        " VALUES (%s, 'POST', %s, %s, %s, 422, 'application/problem+json', 'the first answer', now())",
        (machine.token_id, path, key, hashlib.sha256(text.encode()).digest()),
    )


@pytest.mark.parametrize("path", [PAY, f"/v2{PAY}"])
def test_while_the_first_runs_the_second_waits_and_is_then_told_to_ask_again(
    open_book: Book, open_machine: Callable[..., Machine], beside: psycopg.Connection[Any], path: str
) -> None:
    machine, payer = open_machine(Audience.SYSTEM), open_book.account(1_000)
    machine.call("GET", f"{CLIENTS}?pageSize=1")
    text = simplejson.dumps(payment(payer, open_book.account()))
    _key_of_the_first(beside, machine, path, text, "slow")
    waiting = ask(machine, path, text, "slow")
    assert waiting.status_code == 409
    assert (waiting.json.get("code") or waiting.json["errors"][0]["metadata"]["code"]) == "inProgress"
    assert int(waiting.headers["Retry-After"]) >= 1
    assert open_book.balance(payer) == (1_000, 0)
    beside.commit()
    assert heard(ask(machine, path, text, "slow")) == (422, "application/problem+json", b"the first answer")
    assert open_book.balance(payer) == (1_000, 0)


@pytest.mark.parametrize("purpose", [None, "fee"])
@pytest.mark.parametrize("first_succeeds", [True, False])
def test_a_first_request_that_ends_in_time_decides_what_the_second_hears(
    open_book: Book, open_machine: Callable[..., Machine], beside: psycopg.Connection[Any], purpose: str | None,
    first_succeeds: bool,
) -> None:  # fmt: skip
    machine, payer = open_machine(Audience.SYSTEM), open_book.account(1_000)
    body = payment(payer, open_book.account()) | ({"purpose": purpose} if purpose else {})
    machine.call("GET", f"{CLIENTS}?pageSize=1")
    text = simplejson.dumps(body)
    _key_of_the_first(beside, machine, PAY, text, "slow")
    ending = threading.Timer(0.3, beside.commit if first_succeeds else beside.rollback)
    ending.start()
    answer = ask(machine, PAY, text, "slow")
    ending.join()
    if first_succeeds:
        assert heard(answer) == (422, "application/problem+json", b"the first answer")
    else:
        assert answer.status_code == 200
    assert open_book.balance(payer) == ((1_000, 0) if first_succeeds else (900, 0))


def test_one_key_on_two_ways_that_lock_in_another_order_is_no_deadlock(
    bank: Flask, open_book: Book, open_machine: Callable[..., Machine], beside: psycopg.Connection[Any]
) -> None:
    """The same request once as the quick way reads it and once as only the usual one does (its content type names
    the character set), queued on one account in the order that would make each wait for the other."""
    machine, payer, taker = open_machine(Audience.SYSTEM), open_book.account(1_000), open_book.account()
    machine.call("GET", f"{CLIENTS}?pageSize=1")
    text = simplejson.dumps(payment(payer, taker))
    beside.execute("SELECT 1 FROM account_balance WHERE account_id = ANY (%s) FOR UPDATE", ([payer, taker],))
    quick, usual = another(bank, machine), another(bank, machine)
    answers: dict[str, Any] = {}

    def send(name: str, caller: Machine, kind: str) -> threading.Thread:
        thread = threading.Thread(
            target=lambda: answers.update({name: ask(caller, PAY, text, "both", content_type=kind)}), daemon=True
        )
        thread.start()
        return thread

    def wait_for(waiting: int) -> None:
        for _ in range(100):
            with psycopg.connect(beside.info.dsn, password=beside.info.password, autocommit=True) as looking:
                row = looking.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND wait_event_type = 'Lock'"
                ).fetchone()
            if row and row[0] >= waiting:
                return
        raise AssertionError("nobody waits")

    threads = [send("quick", quick, "application/json")]
    wait_for(1)
    threads.append(send("usual", usual, "application/json; charset=utf-8"))
    wait_for(2)
    beside.rollback()
    for thread in threads:
        thread.join(20)
    assert {name: answer.status_code for name, answer in answers.items()} == {"quick": 200, "usual": 200}
    assert heard(answers["quick"]) == heard(answers["usual"])
    assert open_book.balance(taker) == (100, 0)
