"""TF-01, TF-13, TF-15, TF-17, TF-22, TF-23, TF-25, TS-10, TS-11, T2-02, T2-03 as machines call them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from dashboard import notifier
from dashboard.access.permissions import Audience
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients.models import Client
from dashboard.database import session, transaction
from dashboard.ledger.models import OneTimePassword
from dashboard.settings import Settings
from dashboard.transfers.models import Transfer
from tests.clients.making import blocked
from tests.conftest import Databases, Machine
from tests.ledger import invariants
from tests.transfers.sending import IBAN, Mailbox, Sending, other_than, sending

FINISHED = ["completed", "rejected", "canceled"]
EVERY = ["awaitingConfirmation", "confirmed", "manualReview", "submitted", "unknown", *FINISHED]


@pytest.fixture(scope="module")
def opened(databases: Databases, configured: Settings) -> Iterator[Sending]:
    with sending(databases, configured) as house:
        yield house


@pytest.fixture
def house(opened: Sending) -> Sending:
    opened.start_over()
    return opened


@pytest.fixture
def own(house: Sending) -> Machine:
    return house.machine(Audience.FRONTOFFICE)


@pytest.fixture
def system(house: Sending) -> Machine:
    return house.machine(Audience.SYSTEM)


@pytest.fixture
def mail() -> Iterator[Mailbox]:
    box = Mailbox()
    with notifier.instead(box):
        yield box


def body(house: Sending, **said: Any) -> dict[str, Any]:
    return {
        "accountId": str(house.account.id), "recipientId": str(house.recipient.id), "amount": 12.34,
        "currency": "eur", "remittanceInformation": "Invoice 4410", **said,
    }  # fmt: skip


def make(own: Machine, house: Sending, **said: Any) -> dict[str, Any]:
    answer = own.call("POST", "/Transfers/outgoing", json=body(house, **said))
    assert answer.status_code == 200, answer.text
    return answer.json  # type: ignore[no-any-return]


def confirm(own: Machine, transfer_id: Any, code: str, *, v2: bool = False, **options: Any) -> Any:
    prefix = "/v2" if v2 else ""
    return own.call("PUT", f"{prefix}/Transfers/outgoing/{transfer_id}/confirm", json={"code": code}, **options)


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.json["code"] == code
    return answer.json  # type: ignore[no-any-return]


def test_the_message_names_what_is_signed_and_the_code_confirms_it(house: Sending, own: Machine, mail: Mailbox) -> None:
    made = make(own, house)
    assert (made["status"], made["kind"], made["type"], str(made["fee"])) == (
        "awaitingConfirmation", "outgoing", "sepa", "0.25",
    )  # fmt: skip
    assert made["confirmation"]["sent"] is True and made["clientId"] == str(house.client.id)
    [message] = mail.messages
    assert "12.34 EUR plus a fee of 0.25 EUR to Jonas Petrauskas, account ending in 5685" in message.text
    assert "Petrauskas" not in message.subject and "12.34" not in message.subject
    answer = confirm(own, made["id"], mail.code)
    assert answer.status_code == 200 and answer.json["status"] == "confirmed"
    assert [change["status"] for change in answer.json["history"]] == ["awaitingConfirmation", "confirmed"]
    assert house.balance(house.account) == (1_000_000, 12_59)
    refused(confirm(own, made["id"], mail.code), 422, "invalidState")


def test_v2_answers_in_the_envelope(house: Sending, own: Machine, mail: Mailbox) -> None:
    made = make(own, house)
    failed = confirm(own, made["id"], other_than(mail.code), v2=True)
    assert failed.status_code == 422 and failed.json["errors"][0]["metadata"]["code"] == "wrongCode"
    answer = confirm(own, made["id"], mail.code, v2=True)
    assert answer.json["isSuccess"] and answer.json["value"]["status"] == "confirmed"
    canceled = own.call("PUT", f"/v2/Transfers/outgoing/{made['id']}/cancel", json={})
    assert canceled.json["value"]["status"] == "canceled" and canceled.json["value"]["recallRequested"] is None


def test_wrong_codes_count_until_none_is_left(house: Sending, own: Machine, mail: Mailbox) -> None:
    made = make(own, house)
    wrong = other_than(mail.code)
    left = [refused(confirm(own, made["id"], wrong), 422, "wrongCode")["triesLeft"] for _ in range(5)]
    assert left == [4, 3, 2, 1, 0]
    refused(confirm(own, made["id"], mail.code), 422, "noTriesLeft")
    assert house.balance(house.account) == (1_000_000, 0)
    answer = own.call("POST", "/Confirmations", json={"transferId": made["id"]})
    assert answer.status_code == 200 and answer.json["transferId"] == made["id"]
    assert confirm(own, made["id"], mail.code).status_code == 200


def test_wrong_codes_count_under_an_idempotency_key_too(house: Sending, own: Machine, mail: Mailbox) -> None:
    made = make(own, house)
    headers = {"Idempotency-Key": "wrong-1"}
    first = confirm(own, made["id"], other_than(mail.code), headers=headers)
    again = confirm(own, made["id"], other_than(mail.code), headers=headers)
    assert first.json["triesLeft"] == again.json["triesLeft"] == 4
    assert session().scalar(
        sa.select(OneTimePassword.tries).where(OneTimePassword.subject_id == UUID(made["id"]))
    ) == 1  # fmt: skip


def test_guessing_ends_for_a_day(house: Sending, own: Machine, mail: Mailbox) -> None:
    for _ in range(4):
        made = make(own, house)
        for _ in range(5):
            refused(confirm(own, made["id"], other_than(mail.code)), 422, "wrongCode")
    made = make(own, house)
    refused(confirm(own, made["id"], mail.code), 422, "noTriesLeft")


def test_a_new_code_makes_the_old_one_worthless(house: Sending, own: Machine, mail: Mailbox) -> None:
    made = make(own, house)
    old = mail.code
    own.call("POST", "/Confirmations", json={"transferId": made["id"]})
    if old != mail.code:
        refused(confirm(own, made["id"], old), 422, "wrongCode")
    assert confirm(own, made["id"], mail.code).status_code == 200


def test_codes_are_sent_five_times_for_one_transfer(house: Sending, own: Machine, mail: Mailbox) -> None:
    made = make(own, house)
    for _ in range(4):
        assert own.call("POST", "/Confirmations", json={"transferId": made["id"]}).status_code == 200
    answer = own.call("POST", "/Confirmations", json={"transferId": made["id"]})
    refused(answer, 429, "tooManyOneTimePasswords")
    assert int(answer.headers["Retry-After"]) > 0
    assert make(own, house)["confirmation"]["sent"] is True, "another transfer has codes of its own"


def test_one_transfers_code_confirms_no_other(house: Sending, own: Machine, mail: Mailbox) -> None:
    first = make(own, house)
    code = mail.code
    second = make(own, house, amount=99)
    if code != mail.code:
        refused(confirm(own, second["id"], code), 422, "wrongCode")
    assert confirm(own, first["id"], code).status_code == 200


def test_a_code_for_a_transfer_is_none_for_an_account(house: Sending, own: Machine, mail: Mailbox) -> None:
    make(own, house)
    password = session().scalar(sa.select(OneTimePassword.id).where(OneTimePassword.owner_id == house.client.id))
    answer = own.call("POST", "/Accounts/otp-verification", json={"id": str(password), "code": mail.code})
    refused(answer, 404, "oneTimePasswordNotFound")


def test_where_no_message_can_be_sent(house: Sending, own: Machine, mail: Mailbox) -> None:
    mail.broken = True
    made = make(own, house)
    assert made["confirmation"] == {"sent": False, "expiresAt": None, "code": "deliveryFailed"}
    refused(confirm(own, made["id"], "123456"), 422, "codeExpired")
    refused(own.call("POST", "/Confirmations", json={"transferId": made["id"]}), 503, "deliveryFailed")
    mail.broken = False
    assert own.call("POST", "/Confirmations", json={"transferId": made["id"]}).status_code == 200
    assert confirm(own, made["id"], mail.code).status_code == 200


def test_without_an_address_nothing_is_made(house: Sending, own: Machine, mail: Mailbox) -> None:
    with transaction():
        session().execute(sa.update(Client).where(Client.id == house.client.id).values(email=None))
    refused(own.call("POST", "/Transfers/outgoing", json=body(house)), 422, "noAddress")
    count = sa.select(sa.func.count()).select_from(Transfer).where(Transfer.client_id == house.client.id)
    assert session().scalar(count) == 0


def test_a_refusal_after_a_right_code_changes_nothing_and_the_code_stays_good(
    house: Sending, own: Machine, mail: Mailbox
) -> None:
    made = make(own, house, amount=6_000)
    code = mail.code
    spent = house.confirmed(5_000_00, recipient=house.known(house.client, "Other", "DE89370400440532013000"))
    refused(confirm(own, made["id"], code), 422, "insufficientFunds")
    assert house.balance(house.account)[1] == spent.amount_minor + spent.fee_minor
    house.paid_in(house.account, 2_000_00)
    assert confirm(own, made["id"], code).json["status"] == "confirmed"


def test_a_key_makes_one_transfer_and_sends_one_code(house: Sending, own: Machine, mail: Mailbox) -> None:
    headers = {"Idempotency-Key": "rent-may"}
    first = own.call("POST", "/Transfers/outgoing", json=body(house), headers=headers)
    again = own.call("POST", "/Transfers/outgoing", json=body(house), headers=headers)
    assert first.json["id"] == again.json["id"] and len(mail.messages) == 1
    code = mail.code
    keyed = {"Idempotency-Key": "confirm-may"}
    one = confirm(own, first.json["id"], code, headers=keyed)
    two = confirm(own, first.json["id"], code, headers=keyed)
    assert (one.status_code, one.data) == (200, two.data) and two.headers["Idempotent-Replayed"] == "true"
    other = own.call("POST", "/Transfers/outgoing", json=body(house, amount=1), headers=headers)
    refused(other, 409, "keyReused")


def test_a_key_on_a_transfer_between_own_accounts_does_not_wait_for_itself(
    house: Sending, own: Machine, mail: Mailbox
) -> None:
    savings = house.opened(house.client, 0)
    recipient = house.known(house.client, "Savings", savings.number)
    answer = own.call(
        "POST", "/Transfers/outgoing", json=body(house, recipientId=str(recipient.id)),
        headers={"Idempotency-Key": "savings"},
    )  # fmt: skip
    assert answer.json["confirmation"]["sent"] is True
    assert confirm(own, answer.json["id"], mail.code).json["status"] == "completed"


def test_review_is_not_told_to_the_client(house: Sending, own: Machine, mail: Mailbox) -> None:
    made = house.held()
    answer = refused(confirm(own, made.id, "123456"), 422, "invalidState")
    assert "manualReview" not in str(answer) and "review" not in str(answer).lower()
    assert answer["status"] == 422 or answer["status"] == "confirmed"
    told = own.call("PUT", f"/Transfers/outgoing/{made.id}/cancel", json={})
    assert told.json["status"] == "canceled" and "manualReview" not in told.text


@pytest.mark.parametrize("status", EVERY)
def test_every_operation_in_every_state(house: Sending, own: Machine, system: Machine, status: str) -> None:
    made = house.in_status(status)
    calls = {
        "confirm": lambda: confirm(own, made.id, "123456"),
        "code": lambda: own.call("POST", "/Confirmations", json={"transferId": str(made.id)}),
        "continue": lambda: system.call(
            "PUT", f"/internal/Transfers/outgoing/{made.id}/continue", json={"reason": "Fine"}
        ),
    }
    fits = {"confirm": {"awaitingConfirmation"}, "code": {"awaitingConfirmation"}, "continue": {"manualReview"}}
    before = house.balance(house.account)
    for name, call in calls.items():
        if status not in fits[name]:
            refused(call(), 422, "invalidState")
    if status in FINISHED:
        refused(own.call("PUT", f"/Transfers/outgoing/{made.id}/cancel"), 422, "invalidState")
        refused(
            system.call("PUT", f"/internal/Transfers/outgoing/{made.id}/cancel", json={"reason": "x"}),
            422, "invalidState",
        )  # fmt: skip
    if status in {*FINISHED, "awaitingConfirmation"}:
        told = {"outcome": "executed", "providerReference": "SB-1", "comment": "By phone"}
        refused(system.call("PUT", f"/internal/Transfers/{made.id}/execute", json=told), 422, "invalidState")
    assert house.fresh(made).status == status and house.balance(house.account) == before


def test_cancel_at_the_bank_is_a_recall(house: Sending, own: Machine) -> None:
    made = house.submitted()
    answer = own.call("PUT", f"/Transfers/outgoing/{made.id}/cancel")
    assert answer.status_code == 200
    assert answer.json["status"] == "submitted" and answer.json["recallRequested"] is not None


def test_what_is_another_clients_is_not_there(house: Sending, mail: Mailbox) -> None:
    made = house.made()
    stranger = house.active("Kask")
    own = house.machine(Audience.FRONTOFFICE, client=stranger)
    refused(confirm(own, made.id, "123456"), 404, "transferNotFound")
    refused(own.call("PUT", f"/Transfers/outgoing/{made.id}/cancel"), 404, "transferNotFound")
    refused(own.call("POST", "/Confirmations", json={"transferId": str(made.id)}), 404, "transferNotFound")
    refused(own.call("POST", "/Transfers/outgoing", json=body(house)), 404, "accountNotFound")
    theirs = str(house.opened(stranger).id)
    refused(own.call("POST", "/Transfers/outgoing", json=body(house, accountId=theirs)), 404, "recipientNotFound")
    assert not mail.messages


@pytest.mark.parametrize(
    ("said", "field"),
    [({"amount": 0}, "amount"), ({"amount": -1}, "amount"), ({"amount": 1.234}, "amount"), ({"amount": "1"}, "amount"),
     ({"currency": "xxx"}, "currency"), ({"accountId": "1"}, "accountId"), ({"recipientId": None}, "recipientId"),
     ({"remittanceInformation": "x" * 141}, "remittanceInformation"), ({"other": 1}, "other"),
     ({"amount": 1e17}, "amount")],
)  # fmt: skip
def test_bad_bodies_name_the_field(house: Sending, own: Machine, said: dict[str, Any], field: str) -> None:
    answer = own.call("POST", "/Transfers/outgoing", json=body(house, **said))
    assert answer.status_code == 400 and field in [error["field"] for error in answer.json["errors"]]


def test_bad_codes_and_reasons(house: Sending, own: Machine, system: Machine) -> None:
    made = house.made()
    for code in ("12345", "1234567", "abcdef", "", 123456, None):
        answer = own.call("PUT", f"/Transfers/outgoing/{made.id}/confirm", json={"code": code})
        assert answer.status_code == 400, code
    for path in ("continue", "cancel"):
        answer = system.call("PUT", f"/internal/Transfers/outgoing/{made.id}/{path}", json={"reason": ""})
        assert answer.status_code == 400, path
    assert system.call("PUT", f"/internal/Transfers/outgoing/{made.id}/cancel", json={}).status_code == 400


def test_the_type_is_told_beforehand(house: Sending, own: Machine) -> None:
    def asked(account: str, currency: str) -> Any:
        return own.call("GET", "/Transfers/type", query_string={"recipientAccount": account, "currency": currency})

    assert asked("ee38 2200 2210 2014 5685", "eur").json == {
        "type": "sepa", "recipientAccount": IBAN, "currency": "eur",
    }  # fmt: skip
    assert asked(house.account.number, "eur").json["type"] == "internal"
    assert asked("60-16-13 31926819", "gbp").json["type"] == "fasterPayments"
    assert asked("123", "usd").json["type"] == "swift"
    assert asked("!", "usd").status_code == asked(IBAN, "xxx").status_code == asked("", "eur").status_code == 400


# --- systems ----------------------------------------------------------------------------------------------------------

MAKE = "/internal/integration/Transfers/outgoing"


def test_a_system_makes_and_confirms_in_one(house: Sending, system: Machine, mail: Mailbox) -> None:
    answer = system.call("POST", MAKE, json=body(house), headers={"Idempotency-Key": "one"})
    assert answer.status_code == 200 and answer.json["status"] == "confirmed"
    assert system.call("POST", MAKE, json=body(house), headers={"Idempotency-Key": "one"}).json == answer.json
    assert house.balance(house.account) == (1_000_000, 12_59) and not mail.messages
    refused(system.call("POST", MAKE, json=body(house, accountId=str(uuid4()))), 404, "accountNotFound")
    refused(system.call("POST", MAKE, json=body(house, accountId=str(house.settlement()))), 404, "accountNotFound")
    refused(system.call("POST", MAKE, json=body(house, amount=99_000)), 422, "insufficientFunds")
    blocked(house.client, house.maker)
    answer = refused(system.call("POST", MAKE, json=body(house)), 422, "accountFrozen")
    assert "FRAUD" not in str(answer)
    assert not invariants.broken()


def test_a_payment_request_is_confirmed_by_the_client(house: Sending, system: Machine, own: Machine,
                                                      mail: Mailbox) -> None:  # fmt: skip
    empty = house.opened(house.client, 0)
    answer = system.call("POST", f"{MAKE}/payment-request", json=body(house, accountId=str(empty.id)))
    assert answer.status_code == 200, answer.text
    assert (answer.json["status"], answer.json["parentType"]) == ("awaitingConfirmation", "paymentRequest")
    refused(confirm(own, answer.json["id"], mail.code), 422, "insufficientFunds")
    house.paid_in(empty, 50_00)
    assert confirm(own, answer.json["id"], mail.code).json["status"] == "confirmed"
    with transaction():
        session().execute(sa.update(Client).where(Client.id == house.client.id).values(email=None))
    silent = system.call("POST", f"{MAKE}/payment-request", json=body(house))
    assert silent.json["confirmation"] == {"sent": False, "expiresAt": None, "code": "noAddress"}


def test_continue_and_cancel_by_a_system(house: Sending, system: Machine) -> None:
    made = house.held()
    answer = system.call("PUT", f"/internal/Transfers/outgoing/{made.id}/continue", json={"reason": "The invoice fits"})
    assert answer.status_code == 200 and answer.json["status"] == "confirmed"
    assert answer.json["history"][-1]["reason"] == "The invoice fits"
    answer = system.call("PUT", f"/internal/Transfers/outgoing/{made.id}/cancel", json={"reason": "Recalled"})
    assert answer.json["status"] == "canceled" and answer.json["recallRequested"] is None
    refused(
        system.call("PUT", f"/internal/Transfers/outgoing/{uuid4()}/continue", json={"reason": "x"}),
        404, "transferNotFound",
    )  # fmt: skip


def test_without_the_scope_executing_waits_for_a_second_person(house: Sending, system: Machine) -> None:
    made = house.submitted()
    told = {"outcome": "executed", "providerReference": "SB-1", "comment": "By phone"}
    answer = refused(system.call("PUT", f"/internal/Transfers/{made.id}/execute", json=told), 403, "approvalRequired")
    assert session().get_one(ApprovalRequest, UUID(answer["requestId"])).kind == "transfers.execute"
    refused(system.call("PUT", f"/internal/Transfers/{made.id}/execute", json=told), 409, "alreadyRequested")
    assert house.fresh(made).status == "submitted"
    trusted = house.machine(Audience.SYSTEM, scopes=["all"])
    done = trusted.call("PUT", f"/internal/Transfers/{made.id}/execute", json=told)
    assert done.status_code == 200 and done.json["status"] == "completed"
    assert session().get_one(ApprovalRequest, UUID(answer["requestId"]), populate_existing=True).state == "stale"


def test_the_scope_alone_does_not_go_past_the_provider(house: Sending) -> None:
    trusted = house.machine(Audience.SYSTEM, scopes=["all"])
    told = {"outcome": "executed", "providerReference": "SB-1", "comment": "By phone"}
    for status in ("confirmed", "manualReview"):
        made = house.in_status(status, 1_00 + len(status))
        refused(trusted.call("PUT", f"/internal/Transfers/{made.id}/execute", json=told), 403, "approvalRequired")
        assert house.fresh(made).status == status


def test_neither_code_nor_person_reaches_the_log(
    house: Sending, own: Machine, mail: Mailbox, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = make(own, house)
    confirm(own, made["id"], other_than(mail.code))
    confirm(own, made["id"], mail.code)
    own.call("PUT", f"/Transfers/outgoing/{made['id']}/cancel", json={"reason": "Wrong Petrauskas"})
    sys.stdout.flush()
    said = capfd.readouterr()
    written = said.out + said.err + caplog.text
    for secret in (mail.code, other_than(mail.code), "Petrauskas", IBAN, house.account.number, "Ilves", "Invoice"):
        assert secret not in written
