"""GL-11 and GL-13: six digits that reach the client by mail, count for five minutes and five tries, and once."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import notifier
from dashboard.access.permissions import Audience, Role
from dashboard.audit.models import AuditEvent
from dashboard.clients.models import Client
from dashboard.database import db, session, transaction
from dashboard.ledger.models import OneTimePassword
from dashboard.ledger.services import one_time_passwords, own_accounts
from dashboard.notifier import DeliveryFailed, Message
from tests.clients.making import company
from tests.conftest import Machine, People
from tests.ledger.conftest import Book
from tests.notifier.test_smtp import Mailbox, mail_server, through

SEND, VERIFY = "/Accounts/send-otp", "/Accounts/otp-verification"


class Outbox:
    """Takes messages instead of a mail server; `broken` lets it fail, `on_send` looks on."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.broken = False
        self.on_send: Callable[[], None] = lambda: None

    def send(self, message: Message) -> None:
        self.on_send()
        if self.broken:
            raise DeliveryFailed("The message could not be sent.", details={"reason": "unreachable"})
        self.messages.append(message)

    @property
    def code(self) -> str:
        found = re.match(r"[0-9]{6}\b", self.messages[-1].text)
        assert found, "the message begins with six digits"
        return found[0]


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


class Desk:
    """One client's app, an account of the client, and its mailbox."""

    def __init__(self, client_id: UUID, account: UUID, machine: Machine, outbox: Outbox) -> None:
        self.client_id = client_id
        self.account = account
        self.machine = machine
        self.outbox = outbox

    def send(self, account: UUID | None = None, **options: Any) -> Any:
        body = {"operation": "closeAccount", "accountId": str(account or self.account)}
        return self.machine.call("POST", SEND, json=body, **options)

    def sent(self) -> str:
        answer = self.send()
        assert answer.status_code == 200, answer.text
        identifier: str = answer.json["id"]
        return identifier

    def verify(self, identifier: str, code: str, **options: Any) -> Any:
        return self.machine.call("POST", VERIFY, json={"id": identifier, "code": code}, **options)

    def close(self) -> Any:
        return self.machine.call("DELETE", f"/Accounts/{self.account}")


@pytest.fixture
def outbox(app: Flask) -> Iterator[Outbox]:
    box = Outbox()
    with notifier.instead(box):
        yield box


@pytest.fixture
def desk_of(people: People, machine: Callable[..., Machine], book: Book, outbox: Outbox) -> Callable[..., Desk]:
    def make(name: str = "Desk OÜ", **options: Any) -> Desk:
        client = company(people.actor(Role.OFFICER), name=name, **options)
        account = book.account(owner=client.id)
        return Desk(client.id, account, machine(Audience.FRONTOFFICE, client_id=client.id), outbox)

    return make


@pytest.fixture
def desk(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of()


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
    found: dict[str, Any] = answer.json
    return found


def row(identifier: str) -> OneTimePassword:
    found = session().get(OneTimePassword, UUID(identifier), populate_existing=True)
    assert found is not None
    return found


def age(identifier: str, by: timedelta) -> None:
    """As if it had been sent so long before."""
    with transaction():
        session().execute(
            sa.update(OneTimePassword)
            .where(OneTimePassword.id == UUID(identifier))
            .values(created_at=OneTimePassword.created_at - by, expires_at=OneTimePassword.expires_at - by)
        )


# --- the whole way


def test_a_client_gets_a_code_verifies_it_and_closes_the_account(desk: Desk) -> None:
    answer = desk.send()
    assert answer.status_code == 200
    assert answer.json == {
        "id": answer.json["id"],
        "operation": "closeAccount",
        "accountId": str(desk.account),
        "expiresAt": answer.json["expiresAt"],
    }
    [message] = desk.outbox.messages
    assert message.to == "info@ilves.example"
    assert "close" in message.subject
    assert desk.outbox.code not in message.subject
    assert desk.close().status_code == 403, "sent is not verified"
    verified = desk.verify(answer.json["id"], desk.outbox.code)
    assert verified.status_code == 200, verified.text
    assert verified.json == {**answer.json, "verifiedAt": verified.json["verifiedAt"]}
    assert desk.close().json["status"] == "closed"
    actions = session().scalars(
        sa.select(AuditEvent.action)
        .where(AuditEvent.object_id == desk.account, AuditEvent.action != "account.opened")
        .order_by(AuditEvent.id)
    )
    assert list(actions) == ["one_time_password.sent", "one_time_password.verified", "account.closed"]


def test_the_code_lasts_five_minutes_and_is_stored_as_a_salted_hash(desk: Desk) -> None:
    identifier = desk.sent()
    kept = row(identifier)
    assert kept.expires_at - kept.created_at == timedelta(minutes=5)
    assert desk.outbox.code not in f"{kept.salt} {kept.code_hash}"
    again = row(desk.sent())
    assert again.salt != kept.salt
    assert len(kept.salt) == 32
    assert len(kept.code_hash) == 64


def test_codes_keep_their_leading_zeros(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_time_passwords.secrets, "randbelow", lambda _limit: 42)
    identifier = desk.sent()
    assert desk.outbox.code == "000042"
    assert desk.verify(identifier, "000042").status_code == 200


def test_the_clients_timeline_tells_of_codes_and_accounts_in_words(desk: Desk, signed_in: Callable[..., Any]) -> None:
    desk.verify(desk.sent(), desk.outbox.code)
    desk.machine.call("PATCH", f"/Accounts/{desk.account}", json={"alias": "Petty cash", "hidden": True})
    assert desk.close().status_code == 200
    page = signed_in(Role.SENIOR_OFFICER).get(f"/clients/{desk.client_id}?tab=timeline").get_data(as_text=True)
    for words in ("Account opened", "Code sent to close an account", "Code to close an account verified",
                  "Account changed", "Petty cash", "Account closed"):  # fmt: skip
        assert words in page
    assert "closeAccount" not in page


# --- wrong, late, too often


def test_the_fifth_wrong_code_is_the_last_and_the_right_one_comes_too_late(desk: Desk) -> None:
    identifier = desk.sent()
    right, wrong = desk.outbox.code, other_than(desk.outbox.code)
    for left in (4, 3, 2, 1, 0):
        assert refused(desk.verify(identifier, wrong), 422, "wrongCode")["triesLeft"] == left
    refused(desk.verify(identifier, right), 422, "noTriesLeft")
    assert row(identifier).tries == 5
    assert row(identifier).verified_at is None
    assert desk.close().status_code == 403


def test_the_right_code_counts_at_the_fifth_try(desk: Desk) -> None:
    identifier = desk.sent()
    for _ in range(4):
        refused(desk.verify(identifier, other_than(desk.outbox.code)), 422, "wrongCode")
    assert desk.verify(identifier, desk.outbox.code).status_code == 200


def test_tries_are_counted_although_each_is_refused_under_a_key_of_its_own(desk: Desk) -> None:
    identifier = desk.sent()
    wrong = other_than(desk.outbox.code)
    for number in range(5):
        answer = desk.verify(identifier, wrong, headers={"Idempotency-Key": f"try-{number}"})
        assert refused(answer, 422, "wrongCode")["triesLeft"] == 4 - number
    refused(desk.verify(identifier, desk.outbox.code), 422, "noTriesLeft")


def test_a_try_repeated_with_its_key_is_one_try(desk: Desk) -> None:
    identifier = desk.sent()
    answers = [
        desk.verify(identifier, other_than(desk.outbox.code), headers={"Idempotency-Key": "same"}) for _ in range(3)
    ]
    assert len({answer.data for answer in answers}) == 1
    assert row(identifier).tries == 1


def test_a_code_of_more_than_five_minutes_ago_is_no_longer_valid(desk: Desk) -> None:
    identifier = desk.sent()
    age(identifier, timedelta(minutes=5))
    refused(desk.verify(identifier, desk.outbox.code), 422, "codeExpired")
    assert row(identifier).tries == 0


def test_a_verified_code_closes_nothing_after_its_five_minutes(desk: Desk) -> None:
    identifier = desk.sent()
    assert desk.verify(identifier, desk.outbox.code).status_code == 200
    age(identifier, timedelta(minutes=5))
    refused(desk.close(), 403, "oneTimePasswordRequired")


def test_a_code_is_verified_once(desk: Desk) -> None:
    identifier = desk.sent()
    assert desk.verify(identifier, desk.outbox.code).status_code == 200
    for code in (desk.outbox.code, other_than(desk.outbox.code)):
        refused(desk.verify(identifier, code), 422, "codeAlreadyUsed")
    assert desk.close().status_code == 200
    refused(desk.verify(identifier, desk.outbox.code), 422, "codeAlreadyUsed")


def test_a_code_for_one_account_closes_no_other(desk: Desk, book: Book) -> None:
    second = book.account(owner=desk.client_id)
    answer = desk.send(second)
    assert desk.verify(answer.json["id"], desk.outbox.code).status_code == 200
    refused(desk.close(), 403, "oneTimePasswordRequired")


def test_somebody_elses_code_reads_as_none_and_costs_no_try(desk: Desk, desk_of: Callable[..., Desk]) -> None:
    stranger = desk_of("Stranger OÜ")
    identifier = desk.sent()
    refused(stranger.verify(identifier, desk.outbox.code), 404, "oneTimePasswordNotFound")
    refused(stranger.verify(str(uuid4()), desk.outbox.code), 404, "oneTimePasswordNotFound")
    assert row(identifier).tries == 0


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "１２３４５６", "", " 12345", "123456\n", 123456, None])
def test_what_is_no_code_is_told_so_and_costs_no_try(desk: Desk, code: Any) -> None:
    identifier = desk.sent()
    answer = desk.machine.call("POST", VERIFY, json={"id": identifier, "code": code})
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == ["code"]
    assert row(identifier).tries == 0


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"operation": "openAccount"}, "operation"),
        ({"operation": None}, "operation"),
        ({"accountId": "mine"}, "accountId"),
        ({"to": "elsewhere@attacker.example"}, "to"),
    ],
)
def test_a_wrong_request_for_a_code_is_named_and_sends_nothing(desk: Desk, said: dict[str, Any], wrong: str) -> None:
    body = {"operation": "closeAccount", "accountId": str(desk.account), **said}
    answer = desk.machine.call("POST", SEND, json=body)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [wrong]
    assert desk.outbox.messages == []


def test_five_codes_in_fifteen_minutes_are_the_most_over_all_accounts_of_a_client(
    desk: Desk, desk_of: Callable[..., Desk], book: Book
) -> None:
    sent = [desk.sent() for _ in range(4)]
    second = book.account(owner=desk.client_id)
    assert desk.send(second).status_code == 200
    answer = desk.send()
    refused(answer, 429, "tooManyOneTimePasswords")
    assert 0 < int(answer.headers["Retry-After"]) <= 15 * 60 + 1
    assert len(desk.outbox.messages) == 5
    assert desk_of("Next OÜ").send().status_code == 200, "others are not concerned"
    age(sent[0], timedelta(minutes=14, seconds=50))
    answer = desk.send()
    refused(answer, 429, "tooManyOneTimePasswords")
    assert 0 < int(answer.headers["Retry-After"]) <= 12, "it tells when the oldest is forgotten"
    age(sent[0], timedelta(seconds=11))
    assert desk.send().status_code == 200


def test_a_request_repeated_with_its_key_sends_one_code(desk: Desk) -> None:
    answers = [desk.send(headers={"Idempotency-Key": "send"}) for _ in range(3)]
    assert len({answer.data for answer in answers}) == 1
    assert len(desk.outbox.messages) == 1
    assert desk.verify(answers[2].json["id"], desk.outbox.code).status_code == 200


# --- delivery


@pytest.mark.parametrize("address", [None, "", "no address", "a@b.example\nBcc: c@d.example"])
def test_without_an_address_no_code_is_made(desk: Desk, address: str | None) -> None:
    with transaction():
        session().execute(sa.update(Client).where(Client.id == desk.client_id).values(email=address))
    refused(desk.send(), 422, "noAddress")
    assert desk.outbox.messages == []
    assert session().scalar(sa.select(sa.func.count()).select_from(OneTimePassword)) == 0


def test_an_installation_without_a_mail_server_says_so(desk: Desk) -> None:
    with notifier.instead(notifier.port.NowhereNotifier()):
        refused(desk.send(), 503, "notifierNotConfigured")


def test_neither_code_nor_address_reaches_a_log_or_the_evidence(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    lines: list[str] = []

    class Lines:
        def __getattr__(self, _level: str) -> Callable[..., None]:
            return lambda *words, **facts: lines.append(f"{words} {facts}")

    for name, module in list(sys.modules.items()):
        if name.startswith("dashboard.") and hasattr(module, "log"):
            monkeypatch.setattr(module, "log", Lines())
    identifier = desk.sent()
    code = desk.outbox.code
    desk.verify(identifier, other_than(code))
    desk.verify(identifier, code)
    desk.outbox.broken = True
    desk.send()
    written = "\n".join(lines) + caplog.text
    assert "send-otp" in written, "the log tells of the requests"
    for secret in (code, other_than(code), "info@ilves.example"):
        assert secret not in written
    subject = own_accounts.to_close(desk.account, owner_id=desk.client_id)
    issued = one_time_passwords.issue(one_time_passwords.Operation.CLOSE_ACCOUNT, subject, owner_id=desk.client_id)
    assert issued.message.text[:6] not in repr(issued)
    evidence = session().execute(sa.text("SELECT * FROM audit_payload")).all()
    assert code not in str(evidence)


def test_the_code_comes_through_a_real_mail_server(desk: Desk) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port, notifier.instead(through(port)):
        identifier = desk.sent()
    [mail] = mailbox.mails
    assert mail["To"] == "info@ilves.example"
    text = mail.get_content()
    assert "ending in" in text
    assert desk.verify(identifier, text[:6]).status_code == 200
    assert desk.close().status_code == 200


# --- real commits


@pytest.fixture
def committed_desk(committed: Flask) -> Iterator[Desk]:
    from dashboard.access import tokens

    client = company(People().actor(Role.OFFICER), name="Committed OÜ")
    account = Book().account(owner=client.id)
    with transaction():
        token, secret = tokens.create(
            audience=Audience.FRONTOFFICE,
            scopes=tokens.resolve_scopes(Audience.FRONTOFFICE, []),
            name="app",
            client_id=client.id,
        )
    box = Outbox()
    with notifier.instead(box):
        yield Desk(client.id, account, Machine(committed.test_client(), secret, token.id), box)


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "send"}])
def test_a_code_that_could_not_be_delivered_is_dead_and_counts_as_sent(
    committed_desk: Desk, headers: dict[str, str]
) -> None:
    desk = committed_desk
    seen: list[str] = []

    def remember() -> None:
        with db.engine.connect() as connection:
            seen.append(str(connection.scalar(sa.text("SELECT id FROM one_time_password ORDER BY id DESC LIMIT 1"))))

    desk.outbox.on_send = remember
    desk.outbox.broken = True
    answer = desk.send(headers=headers)
    problem = refused(answer, 503, "deliveryFailed")
    assert problem["reason"] == "unreachable"
    assert row(seen[0]).delivered_at is None
    refused(desk.verify(seen[0], "000000"), 422, "codeExpired")
    desk.outbox.broken = False
    # the key keeps no failure of the mail server
    assert desk.send(headers=headers).status_code == 200
    for _ in range(3):
        desk.sent()
    refused(desk.send(), 429, "tooManyOneTimePasswords")


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "send"}])
def test_while_the_mail_server_answers_the_code_stands_and_no_lock_waits(
    committed_desk: Desk, headers: dict[str, str]
) -> None:
    seen: list[Any] = []

    def look() -> None:
        with db.engine.connect() as connection:
            seen.append(connection.scalar(sa.text("SELECT count(*) FROM one_time_password")))
            seen.append(connection.scalar(sa.text("SELECT count(*) FROM (SELECT 1 FROM account_owner"
                                                  " FOR UPDATE NOWAIT) AS locked")))  # fmt: skip
            connection.rollback()

    committed_desk.outbox.on_send = look
    assert committed_desk.send(headers=headers).status_code == 200
    assert seen == [1, 1]


def test_tries_at_once_are_counted_one_after_the_other(committed: Flask, committed_desk: Desk) -> None:
    identifier = committed_desk.sent()
    wrong = other_than(committed_desk.outbox.code)
    gate = threading.Barrier(8)
    answers: list[tuple[int, str]] = []

    def guess() -> None:
        gate.wait(timeout=20)
        answer = committed.test_client().post(
            VERIFY,
            json={"id": identifier, "code": wrong},
            headers={"Authorization": f"Bearer {committed_desk.machine.secret}"},
        )
        answers.append((answer.json.get("triesLeft", -1), answer.json["code"]))

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(answers, reverse=True) == [
        (4, "wrongCode"), (3, "wrongCode"), (2, "wrongCode"), (1, "wrongCode"), (0, "wrongCode"),
        *[(-1, "noTriesLeft")] * 3,
    ]  # fmt: skip
    refused(committed_desk.verify(identifier, committed_desk.outbox.code), 422, "noTriesLeft")


def test_sends_at_once_are_counted_one_after_the_other(committed: Flask, committed_desk: Desk) -> None:
    gate = threading.Barrier(8)
    statuses: list[int] = []

    def send() -> None:
        gate.wait(timeout=20)
        answer = committed.test_client().post(
            SEND,
            json={"operation": "closeAccount", "accountId": str(committed_desk.account)},
            headers={"Authorization": f"Bearer {committed_desk.machine.secret}"},
        )
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(statuses) == [200] * 5 + [429] * 3
    assert len(committed_desk.outbox.messages) == 5
