"""The page of rates, positions and margins."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.database import session, transaction
from dashboard.transfers.models import FxMargin, FxRate
from dashboard.transfers.services.exchange import margins
from dashboard.transfers.services.exchange.exchanging import exchange
from dashboard.transfers.services.exchange.quoting import quote
from tests.conftest import People
from tests.transfers.exchanging import RATES, account, active_client, bank, ecb_file, load_rates, newest_day

PAGE = "/transfers/exchange"


def upload(browser: Any, content: bytes, name: str = "eurofxref-daily.xml") -> Any:
    return browser.post(f"{PAGE}/rates", data={"file": (BytesIO(content), name)}, content_type="multipart/form-data")


def test_an_empty_house_says_what_to_do(app: Flask, signed_in: Callable[..., Any]) -> None:
    page = signed_in(Role.TREASURER).get(PAGE).text
    assert "No rates are loaded yet." in page and "no positions yet" in page and "No exchanges yet." in page
    assert "Load rates" not in signed_in(Role.OFFICER).get(PAGE).text


def test_rates_of_a_file_are_shown_with_source_and_age(app: Flask, signed_in: Callable[..., Any]) -> None:
    browser = signed_in(Role.TREASURER)
    answer = upload(browser, ecb_file((newest_day(), RATES)))
    assert answer.status_code == 303, answer.text
    page = browser.get(PAGE).text
    assert "4 rates are loaded" in page and "1.0832" in page and "ECB" in page and ">Active</span>" in page
    upload(browser, ecb_file((newest_day(), RATES)))
    assert "known already" in browser.get(PAGE).text


def test_an_odd_file_is_refused_beside_its_field(app: Flask, signed_in: Callable[..., Any]) -> None:
    browser = signed_in(Role.TREASURER)
    answer = upload(browser, b"<!DOCTYPE a>" + b"<a/>")
    assert answer.status_code == 422 and "document type" in answer.text
    assert browser.post(f"{PAGE}/rates", data={}).status_code == 422
    upload(browser, ecb_file((newest_day(), RATES)))
    assert upload(browser, ecb_file((newest_day(), {"USD": "2"}))).status_code == 409
    assert session().scalar(sa.select(sa.func.count()).select_from(FxRate)) == 4


def test_an_old_rate_is_marked(app: Flask, signed_in: Callable[..., Any]) -> None:
    load_rates(day=date.today() - timedelta(days=20))
    assert "Stale" in signed_in(Role.OFFICER).get(PAGE).text


def test_positions_are_valued_at_the_newest_rate(app: Flask, signed_in: Callable[..., Any], people: People) -> None:
    bank("eur", "usd", "bhd")
    load_rates()
    client = active_client(people)
    eur, usd = account(client.id, "eur", 100_000), account(client.id, "usd")
    with transaction():
        made = quote(client_id=client.id, sell_account_id=eur, buy_account_id=usd, sell_minor=100_000, by=system())
        exchange(made.id, client_id=client.id, by=system())
    page = signed_in(Role.OFFICER).get(PAGE).text
    assert "995.00 EUR" in page and "−1,077.78 USD" in page and "−995.00 EUR" in page
    # what clients lose by rounding is the house's
    assert "0.00 EUR" in page and "without BHD" in page and client.name in page


def test_a_margin_is_changed_with_a_reason_and_evidence(
    app: Flask, signed_in: Callable[..., Any], people: People
) -> None:
    client = active_client(people)
    browser = signed_in(Role.TREASURER)
    assert "Default margin" in browser.get(f"{PAGE}/margin").text
    assert client.name in browser.get(f"{PAGE}/margin?client={client.id}").text
    said = {"client_id": str(client.id), "basis_points": "25", "reason": "Agreed by contract"}
    assert browser.post(f"{PAGE}/margin", data=said | {"reason": ""}).status_code == 422
    assert browser.post(f"{PAGE}/margin", data=said | {"basis_points": "2001"}).status_code == 422
    assert browser.post(f"{PAGE}/margin", data=said | {"basis_points": "x"}).status_code == 422
    assert browser.post(f"{PAGE}/margin", data=said | {"client_id": "x"}).status_code == 404
    assert browser.post(f"{PAGE}/margin", data={"reason": "x"}).status_code == 422
    assert browser.post(f"{PAGE}/margin", data=said).status_code == 303
    stored = session().scalars(sa.select(FxMargin).where(FxMargin.client_id == client.id)).one()
    assert stored.basis_points == 25
    event = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "fx.margin_changed")).one()
    assert event.client_id == client.id
    assert browser.post(f"{PAGE}/margin", data=said | {"basis_points": ""}).status_code == 303
    assert session().scalar(sa.select(FxMargin).where(FxMargin.client_id == client.id)) is None


def test_the_dialog_of_a_margin_reads_that_margin_alone(
    app: Flask, signed_in: Callable[..., Any], people: People
) -> None:
    treasurer, clients = people.actor(Role.TREASURER), [active_client(people), active_client(people)]
    with transaction():
        for client, points in zip((None, *clients), (50, 25, 30), strict=True):
            margins.set_margin(client and client.id, points, reason="Agreed", by=treasurer)
    browser, read = signed_in(Role.TREASURER), []

    def counted(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "fx_margin" in statement:
            read.append(cursor.rowcount)

    engine = session().get_bind()
    sa.event.listen(engine, "after_cursor_execute", counted)
    try:
        shown = [browser.get(f"{PAGE}/margin{asked}").text for asked in ("", f"?client={clients[1].id}")]
        none_agreed = browser.get(f"{PAGE}/margin?client={active_client(people).id}").text
    finally:
        sa.event.remove(engine, "after_cursor_execute", counted)
    assert read == [1, 1, 0]
    assert [f"{points} basis points" in page for points, page in zip((50, 30), shown, strict=True)] == [True, True]
    assert "the default counts" in none_agreed
    # by its index, however many are agreed
    session().execute(sa.text("SET LOCAL enable_seqscan = off"))
    plan = session().execute(sa.text(f"EXPLAIN {compiled(sa.select(FxMargin).where(FxMargin.of(None)))}")).scalars()
    assert "uq_fx_margin_client" in "\n".join(plan)


def compiled(query: sa.Select[Any]) -> str:
    """As it is sent, with its values."""
    return str(query.compile(session().get_bind(), compile_kwargs={"literal_binds": True}))


@pytest.mark.parametrize("path", ["/rates", "/margin"])
def test_only_who_may_write_rates_changes_them(app: Flask, signed_in: Callable[..., Any], path: str) -> None:
    assert signed_in(Role.OFFICER).post(f"{PAGE}{path}", data={}).status_code == 403
