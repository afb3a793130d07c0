"""To whom clients pay: what is checked, what is derived, what answers the existing one, and whose it is."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.access.permissions import Audience
from dashboard.database import session, transaction
from dashboard.errors import NotFound, Refused
from dashboard.ledger.services import accounts
from dashboard.transfers.models import Recipient
from dashboard.transfers.services import recipients, references
from tests.clients.making import person
from tests.transfers.stored import IBAN, Store


@pytest.fixture
def store(app: Flask) -> Store:
    return Store()


@pytest.fixture
def own(machine: Callable[..., Any], store: Store) -> Any:
    """A front-office app of one client."""
    client = store.client()
    caller = machine(Audience.FRONTOFFICE, client_id=client.id)
    caller.client_id = client.id
    return caller


def _add(caller: Any, **body: Any) -> Any:
    return caller.call("POST", "/Recipients", json={"name": "Jonas Petrauskas", "accountNumber": IBAN, **body})


def test_an_iban_brings_its_bank_and_country(own: Any) -> None:
    answer = _add(own, accountNumber="ee38 2200 2210 2014 5685")
    assert answer.status_code == 200, answer.json
    assert answer.json["accountNumber"] == IBAN
    assert answer.json["accountFormat"] == "iban"
    assert (answer.json["bic"], answer.json["bankName"], answer.json["country"]) == ("HABAEE2X", "Swedbank AS", "EE")
    assert answer.json["clientId"] == str(own.client_id)


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"accountNumber": "EE382200221020145686"}, "accountNumber", "iban"),
        ({"accountNumber": "EE38220022102014568"}, "accountNumber", "iban"),
        ({"bic": "HABA"}, "bic", "bic"),
        ({"country": "LT"}, "country", "value"),
        ({"name": "   "}, "name", "value"),
        ({"name": "x" * 141}, "name", "tooLong"),
        ({"accountNumber": "31926819", "sortCode": "60-16"}, "sortCode", "pattern"),
        ({"accountNumber": "3192", "sortCode": "601613"}, "accountNumber", "pattern"),
        ({"accountNumber": "000123456789"}, "bic", "required"),
        ({"accountNumber": "12 €", "bic": "BOFAUS3N"}, "accountNumber", "pattern"),
    ],
)
def test_what_is_wrong_is_named(own: Any, body: dict[str, Any], field: str, rule: str) -> None:
    answer = _add(own, **body)
    assert answer.status_code == 400
    assert {"field": field, "rule": rule}.items() <= answer.json["errors"][0].items()
    assert session().scalar(sa.select(sa.func.count()).select_from(Recipient)) == 0


def test_an_unknown_bic_is_no_reason_to_refuse(own: Any) -> None:
    assert _add(own, bic="ZZZZEEXXXXX").json["bic"] == "ZZZZEEXXXXX"


def test_a_uk_account_is_its_sort_code_and_number(own: Any) -> None:
    answer = _add(own, accountNumber="1926819", sortCode="60-16-13").json
    assert (answer["accountFormat"], answer["accountNumber"], answer["country"]) == ("sortCode", "60161301926819", "GB")


def test_an_account_elsewhere_has_the_country_of_its_bank(own: Any) -> None:
    answer = _add(own, accountNumber="000123456789", bic="bofaus3nxxx").json
    assert (answer["accountFormat"], answer["bic"], answer["country"]) == ("other", "BOFAUS3NXXX", "US")


def test_any_script_is_a_name(own: Any) -> None:
    name = "Łucja Ōé 日本 Ñandú"
    answer = _add(own, name=name)
    assert answer.json["name"] == name


def test_the_same_account_and_name_again_is_the_existing_one(own: Any) -> None:
    first = _add(own).json
    again = _add(own, name=" jonas  PETRAUSKAS ", accountNumber="EE38 2200 2210 2014 5685")
    assert again.status_code == 200
    assert again.json["id"] == first["id"]
    assert _add(own, name="Somebody else").json["id"] != first["id"]


def test_a_hidden_one_added_again_is_shown_again(own: Any) -> None:
    first = _add(own).json
    hidden = own.call("PUT", f"/Recipients/{first['id']}/visibility", json={"visible": False})
    assert hidden.json["visible"] is False
    assert own.call("GET", "/Recipients?visible=true").json["items"] == []
    assert _add(own).json == {**first, "visible": True}


def test_two_who_add_the_same_at_the_same_moment_get_the_same(committed: Flask) -> None:
    client_id = person(system()).id

    def add(_: int) -> str:
        with committed.app_context(), transaction():
            return str(recipients.add(client_id=client_id, name="Jonas", number=IBAN, by=system()).id)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(add, range(16)))) == 1


def test_another_clients_recipient_is_not_there(own: Any, machine: Callable[..., Any], store: Store) -> None:
    theirs = store.recipient(store.client("Kask"))
    for method, path in (
        ("GET", f"/Recipients/{theirs.id}"),
        ("GET", f"/v2/Recipients/{theirs.id}"),
        ("PUT", f"/Recipients/{theirs.id}/visibility"),
    ):
        body = {"json": {"visible": False}} if method == "PUT" else {}
        assert own.call(method, path, **body).status_code == 404
    assert own.call("GET", "/Recipients").json["items"] == []
    assert recipients.show(theirs.id, visible=True, client_id=theirs.client_id, by=system()).visible


def test_a_list_pages_by_number_and_by_cursor(own: Any, store: Store) -> None:
    for number in range(5):
        _add(own, name=f"Payee {number}")
    names = [f"Payee {number}" for number in (4, 3, 2, 1, 0)]
    first = own.call("GET", "/Recipients?pageSize=2&pageNumber=1").json
    second = own.call("GET", "/Recipients?pageSize=2&pageNumber=2").json
    assert [one["name"] for one in first["items"] + second["items"]] == names[:4]
    assert first["totalCount"] == 5
    found, cursor = [], ""
    while cursor is not None:
        page = own.call("GET", f"/v2/Recipients?pageSize=2&cursor={cursor}").json
        found += [one["name"] for one in page["items"]]
        cursor = page["nextCursor"]
    assert found == names
    both = own.call("GET", f"/Recipients?pageNumber=1&cursor={first['nextCursor']}")
    assert both.status_code == 400


def test_filters_of_a_list_combine(own: Any) -> None:
    _add(own, name="Jonas Petrauskas")
    _add(own, name="Jo Smith", accountNumber="31926819", sortCode="601613")
    _add(own, name="Acme", accountNumber="000123456789", bic="BOFAUS3N")

    def names(query: str) -> list[str]:
        return [one["name"] for one in own.call("GET", f"/v2/Recipients?{query}").json["items"]]

    assert names("text=jo") == ["Jo Smith", "Jonas Petrauskas"]
    assert names("text=0145 685") == ["Jonas Petrauskas"]
    assert names("country=us") == ["Acme"]
    assert names("currency=usd&text=jo") == ["Jonas Petrauskas"]
    assert names("visible=false") == []


def test_systems_add_for_a_client_and_for_the_house(machine: Callable[..., Any], store: Store) -> None:
    teller, client = machine(Audience.SYSTEM), store.client()
    body = {"name": "Jonas", "accountNumber": IBAN}
    for_client = teller.call("POST", "/internal/Recipients", json={**body, "clientId": str(client.id)})
    assert for_client.json["clientId"] == str(client.id)
    missing = teller.call("POST", "/internal/Recipients", json={**body, "clientId": str(uuid4())})
    assert (missing.status_code, missing.json["code"]) == (404, "clientNotFound")
    house = teller.call("POST", "/internal/integration/Recipients", json=body)
    assert house.json["clientId"] is None
    again = teller.call("POST", "/internal/integration/Recipients", json=body)
    assert again.json["id"] == house.json["id"]


def test_a_reference_has_check_digits_and_leads_to_an_account(store: Store, machine: Callable[..., Any]) -> None:
    client = store.client()
    account = store.account(client, 0)
    teller = machine(Audience.SYSTEM)
    body = {"clientId": str(client.id), "accountId": str(account.id), "expectedAmount": 12.5}
    given = teller.call("POST", "/internal/References", json=body).json
    assert references.is_valid(given["reference"])
    assert not references.is_valid(given["reference"][:-1] + ("3" if given["reference"][-1] == "2" else "2"))
    assert given["expectedAmount"] == 12.5
    listed = teller.call("GET", f"/internal/References?clientId={client.id}").json["items"]
    assert listed == [given]
    revoked = teller.call("POST", f"/internal/References/{given['id']}/revoke").json
    assert revoked["revoked"] is not None
    assert teller.call("POST", f"/internal/References/{given['id']}/revoke").json == revoked


def test_a_reference_is_given_for_ones_own_open_account_only(store: Store) -> None:
    client, other = store.client(), store.client("Kask")
    account = store.account(other, 0)
    with pytest.raises(NotFound):
        references.give(client_id=client.id, account_id=account.id, by=system())
    with transaction():
        accounts.close(account.id, owner_id=other.id, by=system())
    with pytest.raises(Refused):
        references.give(client_id=other.id, account_id=account.id, by=system())
