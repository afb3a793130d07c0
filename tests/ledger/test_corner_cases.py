"""What callers send that is wrong, odd or too much: a clear answer each time, the right status, and nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import simplejson
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Audience
from dashboard.database import session, transaction
from dashboard.ledger.models import AccountBalance, Payment
from dashboard.ledger.services import accounts
from dashboard.ledger.vocabulary import AccountType
from tests.ledger.conftest import Book
from tests.ledger.invariants import broken

PAY, PAY_V2 = "/internal/Payments", "/v2/internal/Payments"
DRAFT, DRAFT_V2 = "/internal/Payments/draft", "/v2/internal/Payments/draft"
FORMS = [PAY, PAY_V2, DRAFT, DRAFT_V2]


class Counter:
    """Sends payments to one of the four operations that make them, and reads their answers alike."""

    def __init__(self, path: str, teller: Any, book: Book) -> None:
        self.path, self.teller, self.book = path, teller, book
        self.enveloped, self.drafts = path.startswith("/v2"), path.endswith("draft")
        self.payer, self.taker = book.account(10_000), book.account()
        # its first use in a minute takes a way of its own: after it the quick way is open
        teller.call("GET", "/internal/Clients?pageSize=1")

    def body(self, **changes: Any) -> dict[str, Any]:
        """Changes of a transaction go where the operation has its transaction."""
        frame = {"parentId": str(uuid4()), "parentType": "transfer"}
        leg = {
            "debtorAccountId": str(self.payer), "creditorAccountId": str(self.taker),
            "currency": "eur", "amount": 12.34,
        }  # fmt: skip
        for name, value in changes.items():
            target = frame if name in ("parentId", "parentType", "purpose", "valueDate", "unknown") else leg
            target[name] = value
        return {**frame, "transactions": [leg]} if self.drafts else {**frame, **leg}

    def send(self, body: Any, **options: Any) -> Any:
        text = body if isinstance(body, str | bytes) else simplejson.dumps(body, use_decimal=True)
        return self.teller.call("POST", self.path, data=text, content_type="application/json", **options)

    def raw(self, amount: str) -> Any:
        """The amount as a piece of JSON text."""
        return self.send(simplejson.dumps(self.body(amount="@")).replace('"@"', amount))

    def name(self, field: str) -> str:
        in_leg = field in ("debtorAccountId", "creditorAccountId", "currency", "amount", "description", "else")
        return f"transactions.0.{field}" if self.drafts and in_leg else field

    def told(self, answer: Any) -> tuple[int, str, str | None, str | None]:
        """Status, code, field and rule of a failure, in the form that the operation documents."""
        said = answer.get_json()
        if self.enveloped:
            assert answer.content_type == "application/json"
            assert (said["isFailed"], said["isSuccess"], said["value"]) == (True, False, None)
            known = said["errors"][0]["metadata"]
            return answer.status_code, known["code"], known.get("field"), known.get("rule")
        assert answer.content_type == "application/problem+json"
        assert said["status"] == answer.status_code
        first = (said.get("errors") or [{}])[0]
        return answer.status_code, said["code"], first.get("field"), first.get("rule")


def standing() -> tuple[int, list[Any]]:
    """How many payments there are, and every balance row."""
    table = AccountBalance
    rows = session().execute(
        sa.select(table.account_id, table.slot, table.posted, table.held).order_by(table.account_id, table.slot)
    )
    made = session().scalar(sa.select(sa.func.count()).select_from(Payment))
    return int(made or 0), [tuple(row) for row in rows]


@pytest.fixture(params=FORMS)
def counter(request: pytest.FixtureRequest, teller: Any, book: Book) -> Counter:
    return Counter(request.param, teller, book)


@pytest.fixture
def unchanged(counter: Counter) -> Iterator[None]:
    """No payment is made and no balance moves while the test runs."""
    before = standing()
    yield
    session().rollback()
    assert standing() == before


AMOUNTS = {
    "0": "range", "0.00": "range", "-0": "range", "-0.01": "range", "-5": "range", "0.001": "range",
    "12.345": "range", "1e-7": "range", "1e300": None, "1e999999999": None, "-1e300": None, "1E16": "range",
    "100000000000000.01": "range", "10000000000000000": "range", "12345678901234567890": "range",
    "0.12345678901234567890": "range", "1.00000000000000000000000000000000000001": "range",
    "99999999999999.000000000000000000000001": "range",
    '"12.34"': None, '"0"': None, '""': None, "true": None, "false": None,
    "null": None, "[]": None, "{}": None, "[1]": None,
}  # fmt: skip


@pytest.mark.usefixtures("unchanged")
def test_an_amount_that_is_no_positive_number_of_whole_cents_is_refused_by_name(counter: Counter) -> None:
    for amount, expected in AMOUNTS.items():
        status, code, field, rule = counter.told(counter.raw(amount))
        assert (status, code, field) == (400, "invalid", counter.name("amount")), amount
        assert rule, amount
        assert rule == (expected or rule), amount


@pytest.mark.usefixtures("unchanged")
def test_an_amount_that_is_no_json_number_makes_a_malformed_body(counter: Counter) -> None:
    for amount in ("NaN", "Infinity", "-Infinity", "1e", "01", "1.", ".5", "+1", "0x10", "1" * 5000):
        assert counter.told(counter.raw(amount))[:2] == (400, "malformedBody"), amount


def test_every_way_to_write_an_exact_amount_is_taken_exactly(counter: Counter, book: Book) -> None:
    counter.payer = book.house()
    for amount in ("100000000000000", "1E14", "99999999999999.99", "0.01", "1.10", "1e1", "20e-1"):
        before, _ = book.balance(counter.taker)
        answer = counter.raw(amount)
        assert answer.status_code == 200, amount
        said = simplejson.loads(answer.text, use_decimal=True)
        [made] = (said["value"] if counter.enveloped else said)["transactions"]
        assert made["amount"] == Decimal(amount)
        after, _ = book.balance(counter.taker)
        assert after - before == (0 if counter.drafts else int(Decimal(amount) * 100)), amount


@pytest.mark.usefixtures("unchanged")
def test_a_currency_is_one_of_the_known_codes_in_lower_case(counter: Counter) -> None:
    for currency in ("EUR", "Eur", "xxx", "", "euro", "€", 978, None, ["eur"], "eur "):
        status, code, field, _ = counter.told(counter.send(counter.body(currency=currency)))
        assert (status, code, field) == (400, "invalid", counter.name("currency")), currency


@pytest.mark.usefixtures("unchanged")
def test_a_currency_that_is_not_the_accounts_is_refused(counter: Counter) -> None:
    assert counter.told(counter.send(counter.body(currency="usd")))[:2] == (422, "currencyMismatch")


def test_the_creditor_in_another_currency_is_named(counter: Counter, book: Book) -> None:
    dollars = book.account(currency="usd")
    before = standing()
    answer = counter.send(counter.body(creditorAccountId=str(dollars)))
    assert counter.told(answer)[:2] == (422, "currencyMismatch")
    assert str(dollars) in answer.text
    assert standing() == before


def test_yen_have_no_decimals_and_dinars_three(counter: Counter, book: Book) -> None:
    for currency, good, minor, bad in (("jpy", Decimal(500), 500, Decimal("500.5")),
                                       ("bhd", Decimal("0.125"), 125, Decimal("0.1255"))):  # fmt: skip
        counter.payer, counter.taker = book.account(10_000, currency=currency), book.account(currency=currency)
        refused = counter.told(counter.send(counter.body(currency=currency, amount=bad)))
        assert refused == (400, "invalid", counter.name("amount"), "range")
        answer = counter.send(counter.body(currency=currency, amount=good))
        assert answer.status_code == 200
        if not counter.drafts:
            assert book.balance(counter.taker) == (minor, 0)


@pytest.mark.usefixtures("unchanged")
def test_debtor_and_creditor_are_two_accounts(counter: Counter) -> None:
    status, code, field, rule = counter.told(counter.send(counter.body(creditorAccountId=str(counter.payer))))
    assert (status, code, rule) == (400, "invalid", "sameAccount")
    assert field is not None
    assert field.endswith("creditorAccountId")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("side", ["debtorAccountId", "creditorAccountId"])
def test_an_account_that_does_not_exist_is_not_found(counter: Counter, side: str) -> None:
    unknown = str(uuid4())
    answer = counter.send(counter.body(**{side: unknown}))
    assert counter.told(answer)[:2] == (404, "accountNotFound")
    assert unknown in answer.text


#: what a lenient reader would take for an identifier
ODD_UUIDS = ("{00000000-0000-0000-0000-000000000000", "0000_000-0000-0000-0000-000000000000", "-" * 4 + "0" * 32)


@pytest.mark.usefixtures("unchanged")
def test_an_identifier_is_a_uuid(counter: Counter) -> None:
    for field in ("debtorAccountId", "creditorAccountId", "parentId"):
        for value in ("no-uuid", "", 7, None, {}, *ODD_UUIDS, "0" * 500):
            told = counter.told(counter.send(counter.body(**{field: value})))
            assert told[:3] == (400, "invalid", counter.name(field)), value


@pytest.mark.usefixtures("unchanged")
def test_a_field_that_is_missing_is_named(counter: Counter) -> None:
    for field in ("parentId", "parentType", "debtorAccountId", "creditorAccountId", "currency", "amount"):
        body = counter.body()
        (body["transactions"][0] if counter.drafts and field not in body else body).pop(field)
        assert counter.told(counter.send(body)) == (400, "invalid", counter.name(field), "required")


@pytest.mark.usefixtures("unchanged")
def test_a_field_that_nobody_knows_is_named(counter: Counter) -> None:
    for field in ("unknown", "else"):
        told = counter.told(counter.send(counter.body(**{field: 1})))
        assert told == (400, "invalid", counter.name(field), "unknown")


@pytest.mark.usefixtures("unchanged")
def test_a_parent_is_of_a_known_type(counter: Counter) -> None:
    for kind in ("Transfer", "refund", "", 1, None):
        assert counter.told(counter.send(counter.body(parentType=kind)))[:3] == (400, "invalid", "parentType"), kind


@pytest.mark.usefixtures("unchanged")
def test_a_purpose_is_a_short_word(counter: Counter) -> None:
    for purpose in ("", "1st", "-fee", "fee_2", "fee 2", "a" * 41, "fée", "fee\n", None, 1):
        assert counter.told(counter.send(counter.body(purpose=purpose)))[:3] == (400, "invalid", "purpose"), purpose


def test_purposes_tell_payments_of_one_parent_apart(counter: Counter) -> None:
    parent = str(uuid4())
    for purpose in ("a", "Fee-2", "a" * 40):
        assert counter.send(counter.body(parentId=parent, purpose=purpose, amount=1)).status_code == 200
    assert counter.send(counter.body(parentId=parent, amount=1)).status_code == 200
    again = counter.send(counter.body(parentId=parent, purpose="main", amount=1))
    assert counter.told(again)[:2] == (409, "paymentExists")


@pytest.mark.usefixtures("unchanged")
def test_a_value_date_may_be_past_and_never_lies_in_the_future(counter: Counter) -> None:
    tomorrow = (clock.now() + timedelta(days=1)).date().isoformat()
    for wrong in (tomorrow, "9999-12-31", "1999-12-31", "2026-02-30", "20260101", "2026-01-01T00:00:00Z", 20260101, ""):
        assert counter.told(counter.send(counter.body(valueDate=wrong)))[:3] == (400, "invalid", "valueDate"), wrong


def test_a_past_value_date_is_kept_and_the_booking_date_is_the_open_day(counter: Counter) -> None:
    answer = counter.send(counter.body(valueDate="2024-02-29"))
    assert answer.status_code == 200
    said = answer.get_json()
    [made] = (said["value"] if counter.enveloped else said)["transactions"]
    assert made["valueDate"] == "2024-02-29"
    assert made["bookingDate"] != "2024-02-29"


@pytest.mark.usefixtures("unchanged")
def test_a_description_is_text_of_a_sensible_length(counter: Counter) -> None:
    for wrong in ("x" * 501, "a\x00b", "\ud800", 5, ["x"]):
        body = simplejson.dumps(counter.body(description=wrong))
        assert counter.told(counter.send(body))[:3] == (400, "invalid", counter.name("description")), wrong


@pytest.mark.usefixtures("unchanged")
def test_a_body_that_is_no_json_object_is_refused(counter: Counter) -> None:
    for body in ("", "{", "[]", "null", '"text"', "12", "[[{}]]", "\xff\xfe", "{}}", "[" * 100_000):
        status, code, _, _ = counter.told(counter.send(body))
        assert status == 400, body[:20]
        assert code in {"malformedBody", "invalid"}


@pytest.mark.usefixtures("unchanged")
def test_another_content_type_is_refused(counter: Counter) -> None:
    text = simplejson.dumps(counter.body())
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = counter.teller.call("POST", counter.path, data=text, content_type=kind)
        assert counter.told(answer)[:2] == (415, "unsupportedMediaType"), kind


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("counter", [PAY, PAY_V2], indirect=True)
def test_more_than_there_is_is_refused_with_what_there_is(counter: Counter) -> None:
    answer = counter.send(counter.body(amount=Decimal("100.01")))
    assert counter.told(answer)[:2] == (422, "insufficientFunds")
    said = simplejson.loads(answer.text, use_decimal=True)
    details = said["errors"][0]["metadata"] if counter.enveloped else said
    assert (details["required"], details["available"]) == (Decimal("100.01"), Decimal("100.00"))
    assert details["accountId"] == str(counter.payer)


@pytest.mark.parametrize("side", ["debtorAccountId", "creditorAccountId"])
def test_a_closed_account_is_refused_on_either_side(counter: Counter, book: Book, side: str) -> None:
    closed = book.account()
    with transaction():
        accounts.close(closed, by=system())
    before = standing()
    assert counter.told(counter.send(counter.body(**{side: str(closed)})))[:2] == (422, "accountClosed")
    assert standing() == before


@pytest.mark.parametrize("side", ["debtorAccountId", "creditorAccountId"])
def test_a_frozen_account_is_refused_on_its_side_and_only_there(counter: Counter, book: Book, side: str) -> None:
    owner = book.owner()
    frozen = book.account(10_000, owner=owner)
    with transaction():
        accounts.freeze_owner(
            owner, debits=side == "debtorAccountId", credits=side == "creditorAccountId", blocked_amounts={}
        )
    other = "creditorAccountId" if side == "debtorAccountId" else "debtorAccountId"
    before = standing()
    answer = counter.send(counter.body(**{side: str(frozen)}))
    if counter.drafts:
        # a draft moves nothing; the freeze speaks when it is pended
        assert answer.status_code == 200
        said = answer.get_json()
        made = (said["value"] if counter.enveloped else said)["paymentId"]
        pended = counter.teller.call("POST", f"/internal/Payments/{made}/pend")
        assert (pended.status_code, pended.json["errors"][0]["metadata"]["code"]) == (422, "accountFrozen")
        assert standing()[1] == before[1]
    else:
        assert counter.told(answer)[:2] == (422, "accountFrozen")
        assert standing() == before
    assert counter.send(counter.body(**{other: str(frozen)})).status_code == 200


@pytest.mark.parametrize("counter", [PAY, PAY_V2], indirect=True)
def test_money_that_a_block_keeps_on_the_account_cannot_be_spent(counter: Counter, book: Book) -> None:
    owner = book.owner()
    counter.payer = book.account(1_000, owner=owner)
    with transaction():
        accounts.freeze_owner(owner, debits=False, credits=False, blocked_amounts={"eur": 600})
    assert counter.told(counter.send(counter.body(amount=Decimal("4.01"))))[:2] == (422, "insufficientFunds")
    assert counter.send(counter.body(amount=4)).status_code == 200
    assert book.balance(counter.payer) == (600, 0)


@pytest.mark.usefixtures("unchanged")
def test_who_may_not_move_money_is_told_so_before_the_body_is_read(
    counter: Counter, http: FlaskClient, machine: Callable[..., Any]
) -> None:
    other = machine(Audience.INTEGRATION)
    reader = machine(Audience.SYSTEM, scopes=["ledger:read"])
    for caller, status, code in ((other, 403, "forbidden"), (reader, 403, "forbidden")):
        for body in (counter.body(), "{"):
            options = {"json": body} if isinstance(body, dict) else {"data": body}
            answer = caller.call("POST", counter.path, **options)
            assert counter.told(answer)[:2] == (status, code)
    answer = http.post(counter.path, json=counter.body())
    assert counter.told(answer)[:2] == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_front_office_token_moves_nothing(counter: Counter, teller: Any, machine: Callable[..., Any]) -> None:
    body = {"type": "individual", "firstName": "Anna", "lastName": "Ozola"}
    client_id = UUID(teller.call("POST", "/internal/Clients", json=body).get_json()["value"]["id"])
    app_of_client = machine(Audience.FRONTOFFICE, client_id=client_id)
    before = standing()
    assert counter.told(app_of_client.call("POST", counter.path, json=counter.body()))[:2] == (403, "forbidden")
    assert standing() == before


# --- payments of many transactions ---------------------------------------------------------------------------------


def legs(book: Book, count: int, **changes: Any) -> list[dict[str, Any]]:
    members = [book.account(1_000) for _ in range(5)]
    return [
        {"debtorAccountId": str(members[i % 5]), "creditorAccountId": str(members[(i + 1) % 5]), "currency": "eur",
         "amount": Decimal("0.10"), **changes}
        for i in range(count)
    ]  # fmt: skip


def draft_body(transactions: list[Any]) -> str:
    body = {"parentId": str(uuid4()), "parentType": "paymentRequest", "transactions": transactions}
    return simplejson.dumps(body, use_decimal=True)


def send(teller: Any, path: str, text: str = "{}") -> Any:
    return teller.call("POST", path, data=text, content_type="application/json")


def test_a_payment_of_500_transactions_goes_all_its_way(teller: Any, book: Book) -> None:
    made = send(teller, DRAFT, draft_body(legs(book, 500)))
    assert made.status_code == 200
    path = f"/internal/Payments/{made.json['paymentId']}"
    assert send(teller, f"{path}/pend").status_code == 200
    assert broken() == []
    posted = send(teller, f"{path}/post")
    assert {one["state"] for one in posted.json["transactions"]} == {"posted"}
    assert len(posted.json["transactions"]) == 500
    assert broken() == []


def test_a_payment_has_1_to_1000_transactions(teller: Any, book: Book) -> None:
    some = legs(book, 1_000)
    before = standing()
    for count in (0, 1_001):
        answer = send(teller, DRAFT, draft_body(some[:1] * count))
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "transactions"), count
    assert send(teller, DRAFT, draft_body([])).status_code == 400
    assert standing() == before
    assert send(teller, DRAFT, draft_body(some)).status_code == 200


def test_each_wrong_transaction_of_a_payment_is_named(teller: Any, book: Book) -> None:
    some = legs(book, 4)
    some[1]["amount"], some[3]["currency"] = 0, "xxx"
    answer = send(teller, DRAFT, draft_body(some))
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == ["transactions.1.amount", "transactions.3.currency"]


def test_one_refused_transaction_refuses_its_whole_payment_and_is_counted_out(teller: Any, book: Book) -> None:
    poor, some = book.account(5), legs(book, 3)
    some[2]["debtorAccountId"] = str(poor)
    made = send(teller, DRAFT, draft_body(some)).json
    before = standing()
    for step in ("pend", "post"):
        answer = send(teller, f"/v2/internal/Payments/{made['paymentId']}/{step}")
        assert answer.status_code == 422
        told = answer.json["errors"][0]["metadata"]
        assert (told["code"], told["transaction"], told["accountId"]) == ("insufficientFunds", 3, str(poor))
    assert standing() == before


def test_a_fee_to_another_house_account_and_two_currencies_may_share_a_payment(teller: Any, book: Book) -> None:
    euros, dollars = book.account(1_000), book.account(currency="usd")
    position = {currency: str(book.house(currency, AccountType.FX_POSITION)) for currency in ("eur", "usd")}
    sides = [
        (str(euros), position["eur"], "eur", 5), (position["usd"], str(dollars), "usd", Decimal("5.41")),
        (str(euros), str(book.house("eur", AccountType.INCOME)), "eur", Decimal("0.05")),
    ]  # fmt: skip
    named = ("debtorAccountId", "creditorAccountId", "currency", "amount")
    made = send(teller, DRAFT, draft_body([dict(zip(named, side, strict=True)) for side in sides])).json
    path = f"/internal/Payments/{made['paymentId']}"
    assert send(teller, f"{path}/pend").status_code == 200
    assert book.balance(euros) == (1_000, 505)
    assert send(teller, f"{path}/post").status_code == 200
    assert (book.balance(euros), book.balance(dollars)) == ((495, 0), (541, 0))
    assert broken() == []


def test_an_account_that_would_hold_more_than_any_bank_is_refused(teller: Any, book: Book) -> None:
    """Sums stay within 64 bits: neither the largest batch nor the longest payment may end in a failure of ours."""
    payer, taker = book.house(), book.account()
    huge = {"debtorAccountId": str(payer), "creditorAccountId": str(taker), "currency": "eur", "amount": 10**14}
    made = send(teller, DRAFT, draft_body([huge] * 1_000))
    assert made.status_code == 200
    before = standing()
    for step in ("pend", "post"):
        answer = send(teller, f"/v2/internal/Payments/{made.json['paymentId']}/{step}")
        if step == "pend":
            # the house holds nothing, so nothing is summed up yet
            assert answer.status_code == 200
            continue
        assert answer.status_code == 422, answer.text
        assert answer.json["errors"][0]["metadata"]["code"] == "balanceOutOfRange"
    assert standing()[1] == before[1]
    item = {**huge, "parentType": "transfer"}
    many = {"payments": [{**item, "parentId": str(uuid4())} for _ in range(101)]}
    answer = send(teller, "/internal/Payments/batch", simplejson.dumps(many))
    assert (answer.status_code, answer.json["code"]) == (422, "balanceOutOfRange")
    assert standing()[1] == before[1]


def test_items_of_a_batch_are_read_as_strictly_as_single_payments(teller: Any, book: Book) -> None:
    payer, taker = book.account(1_000), book.account()
    good = {
        "parentId": str(uuid4()), "parentType": "transfer", "debtorAccountId": str(payer),
        "creditorAccountId": str(taker), "currency": "eur", "amount": 1,
    }  # fmt: skip
    texts = [
        *(simplejson.dumps({**good, "parentId": odd}) for odd in ODD_UUIDS),
        *(simplejson.dumps({**good, "amount": "@"}).replace('"@"', amount) for amount in AMOUNTS),
        *(simplejson.dumps({**good, "currency": odd}) for odd in ("EUR", "xxx", 1)),
        *(simplejson.dumps({name: value for name, value in good.items() if name != gone}) for gone in good),
        simplejson.dumps({**good, "creditorAccountId": str(payer)}), simplejson.dumps({**good, "unknown": 1}),
        "null", "[]", "1",
    ]  # fmt: skip
    before = standing()
    answer = send(teller, "/internal/Payments/batch", f'{{"payments": [{", ".join(texts)}]}}')
    assert answer.status_code == 200
    assert [item["code"] for item in answer.json["items"]] == ["invalid"] * len(texts)
    assert all(item["details"]["errors"] for item in answer.json["items"])
    assert standing() == before
    whole = send(teller, "/internal/Payments/batch", f'{{"payments": [{texts[0]}], "allOrNothing": true}}')
    assert (whole.status_code, whole.json["errors"][0]["field"]) == (400, "payments.0.parentId")


# --- steps -------------------------------------------------------------------------------------------------------

STEPS = [(form, step) for step in ("pend", "post", "cancel") for form in ("", "/v2")]


def told(form: str, step: str, answer: Any) -> tuple[int, str]:
    """Pend answers in the envelope under both addresses, the others under /v2."""
    if form or step == "pend":
        assert answer.content_type == "application/json"
        return answer.status_code, answer.json["errors"][0]["metadata"]["code"]
    assert answer.content_type == "application/problem+json"
    return answer.status_code, answer.json["code"]


ENDED = {"pend": ["pend"], "post": ["post"], "cancel": ["cancel"], "held and posted": ["pend", "post"]}


@pytest.mark.parametrize(("form", "step"), STEPS)
def test_a_step_out_of_order_is_refused_and_changes_nothing(teller: Any, book: Book, form: str, step: str) -> None:
    for came, steps in ENDED.items():
        if came == "pend" and step != "pend":
            continue
        payment_id = book.draft(book.account(100), book.account(), 60)
        for done in steps:
            assert send(teller, f"/internal/Payments/{payment_id}/{done}").status_code == 200
        before = standing()
        answer = send(teller, f"{form}/internal/Payments/{payment_id}/{step}")
        assert told(form, step, answer) == (422, "invalidState")
        assert standing() == before


@pytest.mark.parametrize(("form", "step"), STEPS)
def test_a_step_of_a_payment_that_does_not_exist_is_not_found(teller: Any, form: str, step: str) -> None:
    answer = send(teller, f"{form}/internal/Payments/{uuid4()}/{step}")
    assert told(form, step, answer) == (404, "paymentNotFound")
    assert send(teller, f"{form}/internal/Payments/no-uuid/{step}").status_code == 404


@pytest.mark.parametrize(("form", "step"), STEPS)
def test_a_step_answers_with_the_payment_as_it_stands(teller: Any, book: Book, form: str, step: str) -> None:
    payment_id = book.draft(book.account(100), book.account(), 60)
    answer = send(teller, f"{form}/internal/Payments/{payment_id}/{step}")
    assert answer.status_code == 200
    payment = answer.json["value"] if form or step == "pend" else answer.json
    if form or step == "pend":
        assert (answer.json["isSuccess"], answer.json["valueOrDefault"]) == (True, payment)
    to = {"pend": "pending", "post": "posted", "cancel": "canceled"}[step]
    [one] = payment["transactions"]
    assert one["state"] == to
    assert [(change["from"], change["to"]) for change in one["stateChanges"]] == [("draft", to)]
    assert payment == teller.call("GET", f"/internal/Payments/{payment_id}").json


@pytest.mark.parametrize(("form", "step"), STEPS)
def test_only_system_tokens_that_may_write_take_a_step(
    http: FlaskClient, machine: Callable[..., Any], book: Book, form: str, step: str
) -> None:
    path = f"{form}/internal/Payments/{book.draft(book.account(100), book.account(), 60)}/{step}"
    assert told(form, step, machine(Audience.INTEGRATION).call("POST", path)) == (403, "forbidden")
    assert told(form, step, machine(Audience.SYSTEM, scopes=["ledger:read"]).call("POST", path)) == (403, "forbidden")
    assert told(form, step, http.post(path)) == (401, "unauthenticated")


def test_the_reason_of_a_cancellation_is_kept_and_has_bounds(teller: Any, book: Book) -> None:
    payment_id = book.draft(book.account(100), book.account(), 60)
    path = f"/internal/Payments/{payment_id}/cancel"
    for wrong in ("x" * 501, 5, "a\x00"):
        assert teller.call("POST", path, json={"reason": wrong}).json["errors"][0]["field"] == "reason"
    assert teller.call("POST", path, json={"other": 1}).status_code == 400
    answer = teller.call("POST", path, json={"reason": "ordered twice"})
    assert answer.json["transactions"][0]["stateReason"] == "ordered twice"


# --- adjusting payments and reversals ----------------------------------------------------------------------------


def test_an_adjusting_payment_without_the_scope_opens_a_request_and_moves_nothing(counter: Counter) -> None:
    before = standing()
    body = counter.body(parentType="adjustingPayment")
    answer = counter.send(body)
    if counter.path.endswith("/draft"):
        # what is approved is posted, so nobody asks for a draft
        assert counter.told(answer)[:2] == (403, "forbidden")
        assert standing() == before
        return
    assert counter.told(answer)[:2] == (403, "approvalRequired")
    assert "requestId" in answer.text
    assert standing() == before
    assert counter.told(counter.send(body))[:2] == (409, "alreadyRequested")


@pytest.fixture
def adjuster(machine: Callable[..., Any]) -> Any:
    return machine(Audience.SYSTEM, scopes=["all"])


def test_a_reversal_mirrors_its_payment_once(adjuster: Any, book: Book) -> None:
    payer, taker = book.account(1_000), book.account()
    payment_id = book.pay(payer, taker, 300)
    path = f"/internal/Payments/{payment_id}/reverse"
    made = adjuster.call("POST", path, json={"reason": "sent twice"})
    assert made.status_code == 200
    assert made.json["reversesPaymentId"] == str(payment_id)
    assert (book.balance(payer), book.balance(taker)) == ((1_000, 0), (0, 0))
    again = adjuster.call("POST", path, json={"reason": "sent twice"})
    assert (again.status_code, again.json["code"]) == (409, "alreadyReversed")
    back = adjuster.call("POST", f"/internal/Payments/{made.json['paymentId']}/reverse", json={"reason": "no"})
    assert (back.status_code, back.json["code"]) == (422, "reversalOfReversal")


def test_a_reversal_needs_a_posted_payment_a_reason_and_the_money(adjuster: Any, book: Book) -> None:
    payer, taker = book.account(1_000), book.account()
    draft = f"/internal/Payments/{book.draft(payer, taker, 300)}/reverse"
    answer = adjuster.call("POST", draft, json={"reason": "early"})
    assert (answer.status_code, answer.json["code"]) == (422, "notPosted")
    payment_id = book.pay(payer, taker, 300)
    path = f"/internal/Payments/{payment_id}/reverse"
    for wrong in ({}, {"reason": ""}, {"reason": "   "}, {"reason": "x" * 501}, {"reason": None}):
        assert adjuster.call("POST", path, json=wrong).json["errors"][0]["field"] == "reason"
    book.pay(taker, payer, 1)
    before = standing()
    answer = adjuster.call("POST", path, json={"reason": "late"})
    assert (answer.status_code, answer.json["code"]) == (422, "insufficientFunds")
    assert standing() == before
    assert adjuster.call("POST", f"/internal/Payments/{uuid4()}/reverse", json={"reason": "x"}).status_code == 404


def test_a_reversal_passes_a_freeze_that_came_later(adjuster: Any, book: Book) -> None:
    owner, taking = book.owner(), book.owner()
    payer, taker = book.account(1_000, owner=owner), book.account(owner=taking)
    payment_id = book.pay(payer, taker, 300)
    for frozen in (owner, taking):
        with transaction():
            accounts.freeze_owner(frozen, debits=True, credits=True, blocked_amounts={})
    answer = adjuster.call("POST", f"/internal/Payments/{payment_id}/reverse", json={"reason": "recalled"})
    assert answer.status_code == 200
    assert book.balance(taker) == (0, 0)


def test_a_reversal_without_the_scope_opens_a_request(teller: Any, book: Book) -> None:
    payment_id = book.pay(book.account(1_000), book.account(), 300)
    before = standing()
    path = f"/internal/Payments/{payment_id}/reverse"
    answer = teller.call("POST", path, json={"reason": "sent twice"})
    assert (answer.status_code, answer.json["code"]) == (403, "approvalRequired")
    again = teller.call("POST", path, json={"reason": "sent twice"})
    assert (again.status_code, again.json["code"]) == (409, "alreadyRequested")
    assert standing() == before
