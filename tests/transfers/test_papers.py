"""Confirmations on paper: TF-02, TS-01, and the page of a transfer's documents."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask import Flask
from pypdf import PdfReader

from dashboard.access.actor import system
from dashboard.access.permissions import Audience, Role
from dashboard.audit.models import AuditEvent
from dashboard.database import session, transaction
from dashboard.money import Money
from dashboard.transfers.documents.confirmation import Confirmation, Exchange, Party, paper
from dashboard.transfers.models import Transfer, TransferDocument
from dashboard.transfers.services.exchange.exchanging import exchange
from dashboard.transfers.services.exchange.quoting import quote
from tests.conftest import Machine, People
from tests.transfers.exchanging import account, active_client, bank, load_rates

SAID = Confirmation(
    institution="Vilniaus Mokėjimai UAB",
    zone=ZoneInfo("Europe/Vilnius"),
    transfer_id="019a7c3e-7a10-7cc1-8d0e-3f6a1b2c3d4e",
    kind="Outgoing",
    status="completed",
    payer=Party("Łukasz Wiśniewski", "LT601010012345678901"),
    payee=Party("Ülle Põder ja Кирилл Иванов", "EE382200221020145685", "HABAEE2X"),
    amount=Money(123_456, "eur"),
    fee=Money(25, "eur"),
    ordered_at=datetime(2026, 11, 20, 9, 0, tzinfo=UTC),
    completed_at=datetime(2026, 11, 20, 9, 4, 5, tzinfo=UTC),
    booking_date=date(2026, 11, 20),
    value_date=date(2026, 11, 21),
    generated_at=datetime(2026, 11, 23, 7, 0, tzinfo=UTC),
    remittance="Invoice 4410, Žalgirio g.",
    references=[("End-to-end reference", "CH019A7C3E")],
)


def text_of(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def test_a_paper_says_everything_in_every_script() -> None:
    said = text_of(paper(SAID))
    for words in (
        "Vilniaus Mokėjimai UAB", "Łukasz Wiśniewski", "Ülle Põder ja Кирилл Иванов", "LT60 1010 0123 4567 8901",
        "HABAEE2X", "1,234.56 EUR", "0.25 EUR", "1,234.81 EUR", "20 Nov 2026 11:00:00 EET", "21 Nov 2026",
        "Invoice 4410, Žalgirio g.", "CH019A7C3E", SAID.transfer_id, "Page 1 of 1", "made 23 Nov 2026 09:00:00",
    ):  # fmt: skip
        assert words in said, words


def test_the_same_facts_give_the_same_bytes() -> None:
    assert paper(SAID) == paper(SAID)
    assert paper(SAID) != paper(replace(SAID, amount=Money(123_457, "eur")))


def test_a_paper_of_an_exchange_says_rate_source_and_margin() -> None:
    told = Exchange(Money(10_000, "eur"), Money(10_777, "usd"), Decimal("1.0832000000"), "ecb",
                    datetime(2026, 11, 19, 15, 0, tzinfo=UTC), Money(50, "eur"))  # fmt: skip
    said = text_of(paper(replace(SAID, exchange=told, fee=None)))
    assert "1 EUR = 1.0832 USD" in said and "European Central Bank" in said
    assert "107.77 USD" in said and "0.50 EUR" in said


@pytest.mark.parametrize("odd", ["x" * 3_000, "words " * 600, "a\x00b\u202ec\ud7ff", "\n\n\n", "😀 名前", ""])
def test_odd_and_long_texts_fit_on_pages(odd: str) -> None:
    content = paper(replace(SAID, remittance=odd, payee=Party(odd, odd)))
    assert content.startswith(b"%PDF-")
    assert f"of {len(PdfReader(io.BytesIO(content)).pages)}" in text_of(content)


class Paid:
    """A client with a completed exchange, and its app."""

    def __init__(self, people: People, machine: Callable[..., Machine], **options: Any) -> None:
        client = active_client(people, **options)
        self.id = client.id
        eur, usd = account(client.id, "eur", 10_000), account(client.id, "usd")
        self._accounts = {"sell_account_id": eur, "buy_account_id": usd}
        self.transfer = self.exchanged(6_000)
        self.app = machine(Audience.FRONTOFFICE, client_id=client.id, name=f"app of {client.id}")

    def exchanged(self, minor: int) -> UUID:
        with transaction():
            made = quote(client_id=self.id, **self._accounts, sell_minor=minor, by=system())
            return exchange(made.id, client_id=self.id, by=system()).id

    def made(self) -> Any:
        return self.app.call("POST", "/Documents", json={"transferId": str(self.transfer)})


@pytest.fixture
def paid(app: Flask, people: People, machine: Callable[..., Machine]) -> Paid:
    bank("eur", "usd")
    load_rates()
    return Paid(people, machine, first="Łukasz")


def count() -> int:
    return session().scalar(sa.select(sa.func.count()).select_from(TransferDocument)) or 0


def reads() -> int:
    return session().scalar(
        sa.select(sa.func.count()).select_from(AuditEvent).where(AuditEvent.action == "transfer_document.read")
    ) or 0  # fmt: skip


def test_a_client_makes_its_confirmation_once_and_downloads_it(paid: Paid) -> None:
    first, second = paid.made(), paid.made()
    assert first.status_code == 200, first.text
    assert first.json == second.json and count() == 1
    answer = paid.app.call("GET", f"/Documents/{first.json['fileName']}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Łukasz" in text_of(answer.data) and len(answer.data) == first.json["size"]
    assert "ukasz" not in first.json["fileName"]
    assert reads() == 1


def test_somebody_elses_document_is_not_there(paid: Paid, people: People, machine: Callable[..., Machine]) -> None:
    name = paid.made().json["fileName"]
    other = Paid(people, machine, first="Jaan", last="Tamm", email="jaan@mail.example", phone_number="+37255512399")
    answer = other.app.call("GET", f"/Documents/{name}")
    assert (answer.status_code, answer.json["code"]) == (404, "documentNotFound")
    answer = other.app.call("POST", "/Documents", json={"transferId": str(paid.transfer)})
    assert (answer.status_code, answer.json["code"]) == (404, "transferNotFound")
    system = machine(Audience.SYSTEM)
    assert system.call("GET", f"/internal/Documents/{paid.id}/{name}").status_code == 200
    assert system.call("GET", f"/internal/Documents/{other.id}/{name}").status_code == 404
    assert reads() == 1


@pytest.mark.parametrize("name", [
    "..%2F..%2Fetc%2Fpasswd", "../../etc/passwd", "%2e%2e%2f", "a" * 5_000, "%00", "%E2%80%AE.pdf", "%FF%FE", "名.pdf",
    "x.pdf%0d%0aSet-Cookie:a=b", "'; DROP TABLE transfer; --", "f" * 40 + ".pdf", "F" * 40 + ".pdf", "%25s.pdf", "%5C",
])  # fmt: skip
def test_a_hostile_name_is_no_document(paid: Paid, machine: Callable[..., Machine], name: str) -> None:
    paid.made()
    for caller, path in (
        (paid.app, f"/Documents/{name}"), (machine(Audience.SYSTEM), f"/internal/Documents/{paid.id}/{name}"),
    ):  # fmt: skip
        answer = caller.call("GET", path)
        assert answer.status_code == 404, answer.text
        assert answer.content_type == "application/problem+json"
    assert reads() == 0


def test_a_transfer_that_is_not_completed_has_no_confirmation(paid: Paid, people: People) -> None:
    from dashboard.transfers.services import papers

    waiting = Transfer(
        id=uuid4(), kind="outgoing", status="awaitingConfirmation", type="sepa", client_id=paid.id,
        account_id=account(paid.id, "eur"), currency="eur", amount_minor=100, counterparty_name="Mari",
        end_to_end_id="CH1", created_at=datetime.now(UTC), maker_kind="system", maker_name="test",
    )  # fmt: skip
    with transaction() as current:
        current.add(waiting)
    answer = paid.app.call("POST", "/Documents", json={"transferId": str(waiting.id)})
    assert (answer.status_code, answer.json["code"]) == (422, "invalidState")
    assert papers and count() == 0


def test_staff_make_and_download_it_from_the_page(paid: Paid, signed_in: Callable[..., Any]) -> None:
    browser, here = signed_in(Role.OFFICER), f"/transfers/{paid.transfer}/documents"
    page = browser.get(here).text
    assert "No documents yet." in page and "Make confirmation" in page
    assert browser.post(here).status_code == 303
    page = browser.get(here).text
    assert "The confirmation is made." in page and "Confirmation, PDF" in page
    fragment = browser.get(here, headers={"HX-Request": "true"}).text
    assert "<html" not in fragment and "Confirmation, PDF" in fragment
    name = session().scalars(sa.select(TransferDocument.file_name)).one()
    answer = browser.get(f"{here}/{name}")
    assert answer.status_code == 200 and answer.headers["Content-Disposition"].startswith("attachment")
    assert reads() == 1
    assert browser.get(f"/transfers/{UUID(int=7)}/documents/{name}").status_code == 404
    assert browser.get(f"/transfers/{UUID(int=7)}/documents").status_code == 404
    assert browser.post(here).status_code == 303
    assert count() == 1


def test_a_stored_paper_is_never_changed(paid: Paid) -> None:
    paid.made()
    with pytest.raises(sa.exc.DBAPIError), transaction():
        session().execute(sa.update(TransferDocument).values(content=b"x"))


def test_a_client_lists_its_own_documents_page_by_page(
    paid: Paid, people: People, machine: Callable[..., Machine]
) -> None:
    other = Paid(people, machine, first="Mari")
    other.made()
    made = paid.made().json
    second = paid.exchanged(1_000)
    again = paid.app.call("POST", "/Documents", json={"transferId": str(second)}).json
    first = paid.app.call("GET", "/Documents?pageSize=1").json
    assert [each["fileName"] for each in first["items"]] == [again["fileName"]]
    rest = paid.app.call("GET", f"/Documents?pageSize=1&cursor={first['nextCursor']}").json
    assert rest == {"items": [made], "nextCursor": None}
    one = paid.app.call("GET", f"/Documents?transferId={paid.transfer}").json
    assert one == {"items": [made], "nextCursor": None}
    assert paid.app.call("GET", f"/Documents?transferId={other.transfer}").json["items"] == []
    assert paid.app.call("GET", "/Documents?transferId=x").status_code == 400
    assert reads() == 0
