"""Incoming requests for people: the list, one request, and mending what could not be processed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.database import transaction
from dashboard.transfers.services.incoming import receiving
from tests.transfers.incoming import PAYER, Bank, bank, fresh, posted

LIST = "/transfers/requests"


@pytest.fixture
def house(app: Flask) -> Bank:
    return bank()


@pytest.fixture
def officer(signed_in: Callable[..., FlaskClient]) -> FlaskClient:
    return signed_in(Role.OFFICER)


def test_the_list_says_what_to_do_when_it_is_empty(house: Bank, officer: FlaskClient) -> None:
    assert "No provider has told of incoming money yet" in officer.get(LIST).text


def test_the_list_shows_states_with_their_reason_and_filters_in_the_address(house: Bank, officer: FlaskClient) -> None:
    house.tell(house.credit(debtor_name="Anna Müller"))
    house.tell(house.credit(currency="sek", debtor_name="Olof Ek"))
    whole = officer.get(LIST).text
    assert "Anna Müller" in whole and "Olof Ek" in whole
    assert "No bank account in this currency" in whole
    failed = officer.get(f"{LIST}?state=failed&text=olof&source=api&mark=credit&provider={house.key}").text
    assert "Olof Ek" in failed and "Anna Müller" not in failed
    wrong = officer.get(f"{LIST}?state=lost&received_from=yesterday&text=a")
    assert wrong.status_code == 422
    assert "none of the choices" in wrong.text and "Write the date as" in wrong.text and "3 letters" in wrong.text
    part = officer.get(f"{LIST}?state=failed&text=", headers={"HX-Request": "true"})
    assert part.headers["HX-Push-Url"] == f"{LIST}?state=failed"
    assert "<html" not in part.text
    assert officer.get(f"{LIST}?cursor=bent").status_code == 400


def test_pages_of_the_list_follow_one_another(house: Bank, officer: FlaskClient, monkeypatch: Any) -> None:
    from dashboard.transfers.pages import requests

    monkeypatch.setattr(requests, "DEFAULT_PAGE_SIZE", 2)
    for number in range(3):
        house.tell(house.nobodys(debtor_name=f"Payer {number}", debtor_account=PAYER))
    first = officer.get(LIST).text
    assert "Payer 2" in first and "Payer 0" not in first
    later = next(link for link in first.split('href="') if link.startswith(f"{LIST}?cursor=")).split('"')[0]
    second = officer.get(later).text
    assert "Payer 0" in second and "Payer 2" not in second


def test_the_page_shows_what_the_bank_sent_and_what_became_of_it(house: Bank, officer: FlaskClient) -> None:
    told: dict[str, Any] = {"references": ("ASR-1",), "end_to_end_id": "INV-1", "debtor_name": None}
    first = house.tell(house.credit(raw={"<b>": "as sent"}, **told), source="camt.054")
    second = house.tell(house.credit(**told), source="camt.053")
    house.tell(house.credit(reversal=True, **told), source="camt.054")
    page = officer.get(f"{LIST}/{first.id}").text
    for said in ("Payer data missing", "name of the payer", "as sent", f"/transfers/{first.transfer_id}", "Reversed",
                 "Told again as", "Taken back by"):  # fmt: skip
        assert said in page, said
    assert '"<b>"' not in page and "<b>&#34;" not in page
    assert "Process" not in page.split("<main")[1].replace("Processed", "").replace("processed", "")
    assert "Told before" in officer.get(f"{LIST}/{second.id}").text


def test_a_provider_that_contradicts_itself_is_shown(house: Bank, officer: FlaskClient) -> None:
    first = house.tell(house.credit(provider_reference="ONE-1"))
    with pytest.raises(receiving.DifferentBody):
        house.tell(house.credit(provider_reference="ONE-1", amount_minor=5))
    assert "contradicts itself" in officer.get(f"{LIST}/{first.id}").text


def test_an_officer_mends_what_the_message_lacked(house: Bank, officer: FlaskClient) -> None:
    with transaction():
        request = receiving.receive_unreadable(
            provider=house.key, provider_reference="U-1", raw={"text": "?"}, source="camt.054", message_id=None,
            known={"debtor_account": PAYER, "debtor_name": "Anna"}, by=system(),
        )  # fmt: skip
    path = f"{LIST}/{request.id}"
    assert "tells no amount" in officer.get(path).text
    for said, wrong in (
        ({"amount": "12,50"}, "An amount needs its currency"),
        ({"amount": "12.505", "currency": "eur", "comment": "x"}, "2 decimals"),
        ({"amount": "twelve", "currency": "eur", "comment": "x"}, "Write an amount"),
        ({"amount": "12,50", "currency": "eur"}, "Say why"),
    ):
        refused = officer.post(f"{path}/process", data=said)
        assert refused.status_code == 422, said
        assert wrong in refused.text, said
    done = officer.post(
        f"{path}/process",
        data={"amount": "12,50", "currency": "eur", "creditor_account_number": house.number, "comment": "Statement"},
    )
    assert (done.status_code, done.headers["Location"]) == (303, path)
    assert (fresh(request).state, posted(house.account)) == ("processed", 1_250)
    page = officer.get(path).text
    assert "Corrections" in page and "Statement" in page
    again = officer.post(f"{path}/process", data={})
    assert again.status_code == 422 and "processed already" in again.text


def test_a_doubt_is_settled_by_choosing(house: Bank, officer: FlaskClient) -> None:
    told: dict[str, Any] = {"references": ("UETR-1",), "end_to_end_id": "INV-1"}
    first, second = house.tell(house.credit(**told)), house.tell(house.credit(**told))
    page = officer.get(f"{LIST}/{second.id}").text
    assert "The same as" in page and "Another credit: book it" in page
    undecided = officer.post(f"{LIST}/{second.id}/process", data={"decision": ""})
    assert undecided.status_code == 303 and fresh(second).state == "failed"
    officer.post(f"{LIST}/{second.id}/process", data={"decision": str(first.id), "comment": "same transaction"})
    assert (fresh(second).state, posted(house.account)) == ("linked", 10_000)


def test_who_may_only_read_is_offered_no_form(house: Bank, signed_in: Callable[..., FlaskClient]) -> None:
    request = house.tell(house.credit(currency="sek"))
    for role in (Role.AUDITOR, Role.TREASURER):
        reader = signed_in(role)
        assert "Mend and process" not in reader.get(f"{LIST}/{request.id}").text
        assert reader.post(f"{LIST}/{request.id}/process", data={}).status_code == 403
    assert signed_in(Role.ADMIN).get(LIST).status_code == 403
    assert signed_in(Role.AUDITOR).get(f"{LIST}/00000000-0000-7000-8000-000000000000").status_code == 404


def test_a_contradiction_waits_in_its_queue_until_somebody_says_what_the_provider_answered(
    house: Bank, officer: FlaskClient
) -> None:
    first = house.tell(house.credit(provider_reference="TWICE-2"))
    with pytest.raises(receiving.DifferentBody):
        house.tell(house.credit(provider_reference="TWICE-2", debtor_name="Somebody Else"))
    queue = officer.get("/queues/incoming-requests").text
    assert f'href="/transfers/requests/{first.id}"' in queue and "The provider contradicts itself" in queue
    assert "Incoming requests" in officer.get("/").text
    empty = officer.post(f"{LIST}/{first.id}/clear", data={"reason": " "})
    assert (empty.status_code, "Say what the provider answered" in empty.text) == (422, True)
    done = officer.post(f"{LIST}/{first.id}/clear", data={"reason": "A slip of the bank, the first one counts."})
    assert done.status_code == 303
    assert "What did the provider answer?" not in officer.get(f"{LIST}/{first.id}").text
    assert f"/transfers/requests/{first.id}" not in officer.get("/queues/incoming-requests").text
    assert officer.post(f"{LIST}/{first.id}/clear", data={"reason": "again"}).status_code == 404


def test_clearing_up_a_contradiction_needs_the_permission(house: Bank, signed_in: Callable[..., FlaskClient]) -> None:
    first = house.tell(house.credit())
    answer = signed_in(Role.TREASURER).post(f"{LIST}/{first.id}/clear", data={"reason": "x"})
    assert answer.status_code == 403
