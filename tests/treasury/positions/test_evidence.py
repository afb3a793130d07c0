"""Evidence packs, thresholds, and what machines read."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from dashboard.access.actor import system
from dashboard.access.permissions import Audience
from dashboard.approvals import services as approvals
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Invalid, NotFound, Refused
from dashboard.treasury.alerts.models import TreasuryAlert
from dashboard.treasury.days import services as days
from dashboard.treasury.positions.models import EvidencePack, TreasuryThreshold
from dashboard.treasury.positions.services import evidence, thresholds, working_out
from tests.treasury.positions.conftest import House

SUMMARY = "/internal/TreasuryManagement/summary"


def prepared(house: House) -> Any:
    bank = house.bank()
    day = house.covered(bank, house.client(), 100_00)
    with transaction():
        return days.prepare("eMoney", "eur", day, by=house.treasurer)


def make(house: House, version: Any) -> EvidencePack:
    with transaction():
        return evidence.make(version.id, institution="Kontora Money UAB", by=house.treasurer)


def test_a_pack_holds_figures_rows_and_the_digest_of_each_file(house: House) -> None:
    version = prepared(house)
    pack = make(house, version)
    _, _, content = evidence.get(pack.id)
    assert hashlib.sha256(content).hexdigest() == pack.sha256
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        files = {name: archive.read(name) for name in names}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    manifest = json.loads(files.pop("manifest.json"))
    assert {one["name"]: one["sha256"] for one in manifest["files"]} == {
        name: hashlib.sha256(body).hexdigest() for name, body in files.items()
    }
    assert files["position.pdf"].startswith(b"%PDF")
    assert "100.00" in files["clients.csv"].decode()
    assert manifest["Version"] == "1"


def test_the_same_facts_give_the_same_bytes_and_are_kept_once(house: House) -> None:
    version = prepared(house)
    count = sa.select(sa.func.count()).select_from(EvidencePack)
    first = make(house, version)
    before = session().scalar(count)
    second = make(house, version)
    assert first.id == second.id
    assert session().scalar(count) == before


def test_a_signature_makes_another_pack(house: House) -> None:
    version = prepared(house)
    before = make(house, version)
    with transaction():
        days.sign("eMoney", "eur", version.day, by=house.senior)
    after = make(house, version)
    assert (before.state, after.state) == ("prepared", "signed")
    assert before.sha256 != after.sha256


def test_an_open_day_has_no_evidence(house: House) -> None:
    house.bank()
    day = house.end_day()
    with transaction():
        version = days.ensure("eMoney", "eur", day)
    with pytest.raises(Refused) as refused, transaction():
        evidence.make(version.id, institution="x", by=house.treasurer)
    assert refused.value.code == "notPrepared"


def test_a_pack_that_nobody_made_is_not_found(house: House) -> None:
    from dashboard.database import new_id

    with pytest.raises(NotFound):
        evidence.get(new_id())


# thresholds


def asked(house: House, kind: str = "excessBelow", amount: int | None = 50_00) -> Any:
    with transaction():
        return thresholds.ask("eMoney", "eur", kind, amount, reason="Policy of the board.", by=house.treasurer)


def approved(house: House, kind: str = "excessBelow", amount: int | None = 50_00) -> None:
    request = asked(house, kind, amount)
    with transaction():
        approvals.decide(request.id, approve=True, reason=None, by=house.senior)


def test_a_threshold_stands_only_after_a_second_person_approved_it(house: House) -> None:
    request = asked(house)
    assert not thresholds.every()
    with transaction():
        approvals.decide(request.id, approve=True, reason=None, by=house.senior)
    (one,) = thresholds.every()
    assert (one.kind, one.amount_minor, one.approval_id) == ("excessBelow", 50_00, request.id)
    with pytest.raises(Refused) as refused:
        asked(house)
    assert refused.value.code == "unchanged"


def test_two_requests_for_one_threshold_do_not_wait_beside_each_other(house: House) -> None:
    asked(house)
    with pytest.raises(Conflict):
        asked(house, amount=60_00)


@pytest.mark.parametrize(
    ("pool", "currency", "kind", "amount", "field"),
    [
        ("x", "eur", "excessBelow", 1, "pool"), ("eMoney", "xxx", "excessBelow", 1, "currency"),
        ("eMoney", "eur", "worse", 1, "kind"), ("eMoney", "eur", "excessBelow", -1, "amount"),
    ],
)  # fmt: skip
def test_a_wrong_threshold_names_its_field(
    house: House, pool: str, currency: str, kind: str, amount: int, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        thresholds.ask(pool, currency, kind, amount, reason="x", by=house.treasurer)
    assert [error.field for error in refused.value.errors] == [field]


def test_the_database_takes_no_threshold_that_nobody_approved(house: House) -> None:
    approved(house)
    with pytest.raises(sa.exc.DatabaseError) as refused, transaction() as current:
        current.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
        current.execute(sa.text("UPDATE treasury_threshold SET amount_minor = 1"))
    assert "two people" in str(refused.value)


def test_a_figure_beyond_its_threshold_raises_one_alert_that_ends_when_it_is_back(house: House) -> None:
    approved(house)
    bank = house.bank()
    day = house.covered(bank, house.client(), 100_00)
    for _ in range(2):
        with transaction():
            working_out.work_out("eMoney", "eur", day, by=system())
    (alert,) = session().scalars(sa.select(TreasuryAlert)).all()
    assert (alert.state, alert.times, alert.cause) == ("open", 2, "excessBelow")
    assert "0.00 EUR" in alert.says
    approved(house, amount=0)
    with transaction():
        working_out.work_out("eMoney", "eur", day, by=system())
    session().refresh(alert)
    assert alert.state == "settled"


def test_an_unknown_figure_raises_nothing(house: House) -> None:
    approved(house)
    house.receive(house.bank(), house.client(), 100_00)
    day = house.end_day()
    with transaction():
        working_out.work_out("eMoney", "eur", day, by=system())
    assert not session().scalars(sa.select(TreasuryAlert)).all()
    assert session().scalars(sa.select(TreasuryThreshold)).one().amount_minor == 50_00


# GL-29


def test_machines_read_what_is_owed_without_a_provider_and_what_lies_at_a_bank_with_one(
    house: House, machine: Callable[..., Any]
) -> None:
    bank = house.bank(provider="bank-alpha")
    day = house.covered(bank, house.client(), 100_00)
    answer = machine(Audience.SYSTEM).call("GET", SUMMARY)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    body = answer.json
    assert (body["businessDay"], body["baseCurrency"]) == (day.isoformat(), "eur")
    owed, held = [one for one in body["items"] if one["currency"] == "eur" and one["pool"] == "eMoney"]
    assert (owed["provider"], held["provider"]) == (None, "bank-alpha")
    assert [owed[key] for key in ("clientLiability", "unallocated", "requirement", "resource", "excess")] == [
        100, 0, 100, 100, 0,
    ]  # fmt: skip
    assert [owed[key] for key in ("settlementLedger", "statementBalance", "statementAsOf", "difference")] == [None] * 4
    assert [held[key] for key in ("settlementLedger", "statementBalance", "statementAsOf", "difference")] == [
        100, 100, day.isoformat(), 0,
    ]  # fmt: skip
    assert [held[key] for key in ("clientLiability", "requirement", "resource", "excess")] == [None] * 4


def test_machines_read_null_where_nothing_is_known(house: House, machine: Callable[..., Any]) -> None:
    house.receive(house.bank(), house.client(), 100_00)
    house.end_day()
    body = machine(Audience.SYSTEM).call("GET", SUMMARY).json
    owed, held = body["items"]
    assert (owed["clientLiability"], owed["requirement"]) == (100, 100)
    assert [owed[key] for key in ("pendingIn", "pendingOut", "resource", "excess")] == [None] * 4
    assert (held["settlementLedger"], held["statementBalance"], held["difference"]) == (100, None, None)


def test_before_the_first_day_has_ended_the_books_of_this_moment_are_read(
    house: House, machine: Callable[..., Any]
) -> None:
    house.receive(house.bank(), house.client(), 100_00)
    body = machine(Audience.SYSTEM).call("GET", SUMMARY).json
    owed = next(one for one in body["items"] if one["provider"] is None)
    assert body["businessDay"] == house.today().isoformat()
    assert (owed["clientLiability"], owed["requirement"], owed["resource"]) == (100, 100, None)


def test_the_summary_is_narrowed_by_currency_and_provider(house: House, machine: Callable[..., Any]) -> None:
    house.receive(house.bank(provider="bank-alpha"), house.client(), 1_00)
    house.receive(house.bank(provider="sandbox", currency="pln"), house.client("pln"), 2_00)
    house.end_day()
    ask = machine(Audience.SYSTEM).call
    assert {one["currency"] for one in ask("GET", f"{SUMMARY}?currency=pln").json["items"]} == {"pln"}
    assert [one["provider"] for one in ask("GET", f"{SUMMARY}?provider=sandbox").json["items"]] == ["sandbox"]
    assert ask("GET", f"{SUMMARY}?provider=nobody").json["items"] == []
    wrong = ask("GET", f"{SUMMARY}?currency=EUR")
    assert wrong.status_code == 400
    assert wrong.json["errors"][0]["field"] == "currency"


def test_the_summary_is_for_internal_systems(house: House, machine: Callable[..., Any]) -> None:
    assert machine(Audience.INTEGRATION).call("GET", SUMMARY).status_code == 403
    assert machine(Audience.SYSTEM, scopes=["ledger:read"]).call("GET", SUMMARY).status_code == 403
