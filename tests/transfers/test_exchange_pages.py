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


@pytest.mark.parametrize("path", ["/rates", "/margin"])
def test_only_who_may_write_rates_changes_them(app: Flask, signed_in: Callable[..., Any], path: str) -> None:
    assert signed_in(Role.OFFICER).post(f"{PAGE}{path}", data={}).status_code == 403
