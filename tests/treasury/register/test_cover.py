"""What covers clients' money beside the bank: added and ended by two people, on pages that work without scripts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask

from dashboard import clock
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, Refused
from dashboard.treasury.cover import queries, services
from dashboard.treasury.cover.pages.listing import state_of
from dashboard.treasury.cover.services import Entry
from tests.conftest import People

GUARANTEE = Entry("eMoney", "eur", "guarantee", "Baltic Surety", "G-17", 250_000_00, date(2024, 1, 1),
                  date(2099, 12, 31), date(2099, 6, 1))  # fmt: skip


def entry(**changes: Any) -> Entry:
    return Entry(**{**{name: getattr(GUARANTEE, name) for name in GUARANTEE.__dataclass_fields__}, **changes})


def decided(people: People, request: ApprovalRequest, *, approve: bool = True) -> ApprovalRequest:
    with transaction():
        return approvals.decide(request.id, approve=approve, reason="because", by=people.actor(Role.SENIOR_TREASURER))


def test_a_cover_is_added_and_ended_by_two_people_and_every_version_stays(app: Flask, people: People) -> None:
    treasurer = people.actor(Role.TREASURER)
    with transaction():
        asked = services.ask_to_add(entry(issuer="  Baltic   Surety "), reason="signed", by=treasurer)
    assert (asked.before, asked.after) == (
        {"Cover": "none"}, {"Cover": "250,000.00 EUR, 1 Jan 2024 to 31 Dec 2099"}
    )  # fmt: skip
    assert queries.every() == []
    with pytest.raises(Conflict) as again:
        services.ask_to_add(GUARANTEE, reason="signed", by=treasurer)
    assert again.value.code == "alreadyRequested"
    with pytest.raises(Forbidden):
        approvals.decide(asked.id, approve=True, reason=None, by=treasurer)
    decided(people, asked)
    [row] = queries.every()
    assert (row.issuer, row.version, row.approval_id) == ("Baltic Surety", 1, asked.id)
    with pytest.raises(Conflict) as there:
        services.ask_to_add(GUARANTEE, reason="signed", by=treasurer)
    assert there.value.code == "coverExists"

    last = date(2030, 1, 31)
    with pytest.raises(Refused) as same:
        services.ask_to_change(row.id, valid_to=row.valid_to, review_on=row.review_on, reason="x", by=treasurer)
    assert same.value.code == "nothingChanges"
    with transaction():
        ended = services.ask_to_change(row.id, valid_to=last, review_on=row.review_on, reason="ends", by=treasurer)
    assert ended.after == {"Valid to": "31 Jan 2030"}
    decided(people, ended)
    assert [(one.version.version, one.version.valid_to) for one in queries.history(row.id)] == [
        (2, last), (1, date(2099, 12, 31))
    ]  # fmt: skip
    # the last day counts, the day after it does not
    assert [one.amount for one in queries.on(last)["eMoney", "eur"]] == [250_000_00]
    assert queries.on(last + timedelta(days=1)) == {}
    assert queries.on(GUARANTEE.valid_from - timedelta(days=1)) == {}
    with pytest.raises(Forbidden):
        services.ask_to_add(entry(reference="G-18"), reason="x", by=people.actor(Role.AUDITOR))


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"pool": "cash"}, "pool", "enum"),
        ({"currency": "xxx"}, "currency", "enum"),
        ({"kind": "hope"}, "kind", "enum"),
        ({"issuer": "  "}, "issuer", "length"),
        ({"reference": "x" * 101}, "reference", "length"),
        ({"amount_minor": 0}, "amount", "range"),
        ({"valid_to": None}, "validTo", "required"),
        ({"valid_to": date(2023, 12, 31)}, "validTo", "range"),
        ({"valid_from": date(1999, 1, 1)}, "validFrom", "range"),
        ({"review_on": date(2023, 1, 1)}, "reviewOn", "range"),
    ],
)
def test_what_breaks_a_rule_is_named_by_its_field(
    app: Flask, people: People, changes: dict[str, Any], field: str, rule: str
) -> None:
    with pytest.raises(Invalid) as caught:
        services.ask_to_add(entry(**changes), reason="x", by=people.actor(Role.TREASURER))
    assert (field, rule) in [(error.field, error.rule) for error in caught.value.errors]


def test_the_pages_of_covers(app: Flask, people: People, signed_in: Any) -> None:
    browser = signed_in(Role.TREASURER)
    assert "Nothing covers" in browser.get("/treasury/cover").get_data(as_text=True)
    form = {
        "pool": "eMoney", "currency": "eur", "kind": "insurance", "issuer": "Baltic Surety", "reference": "P-9",
        "amount": "1,250.505", "valid_from": "2024-01-01", "valid_to": "soon", "review_on": "", "reason": "signed",
    }  # fmt: skip
    refused = browser.post("/treasury/cover/new", data=form)
    page = refused.get_data(as_text=True)
    assert refused.status_code == 422
    for sentence in ("Write an amount in EUR", "Write the date as", "Say when it is looked at again."):
        assert sentence in page
    today = clock.calendar().today()
    # assets without an end are fine, a policy without one is not
    form |= {"amount": "1,250.50", "valid_to": "", "review_on": today.isoformat()}
    assert "A guarantee or a policy ends" in browser.post("/treasury/cover/new", data=form).get_data(as_text=True)
    asked = browser.post("/treasury/cover/new", data={**form, "kind": "secureAssets"})
    assert asked.status_code == 303 or asked.status_code == 302
    assert "Waiting for approval" in browser.get("/treasury/cover").get_data(as_text=True)
    request = session().query(ApprovalRequest).filter_by(kind="treasury.cover.add").one()
    decided(people, request)
    [row] = queries.every()
    assert (row.amount_minor, row.valid_to, state_of(row)) == (1_250_50, None, ("wait", "Review due"))
    assert "1,250.50 EUR" in browser.get("/treasury/cover").get_data(as_text=True)
    assert "Secure assets" in browser.get("/treasury/cover/export.csv").get_data(as_text=True)
    shown = browser.get(f"/treasury/cover/{row.id}").get_data(as_text=True)
    assert "Change its end or its review" in shown and "P-9" in shown
    change = {"valid_to": today.isoformat(), "review_on": today.isoformat(), "reason": "sold"}
    missing = browser.post(f"/treasury/cover/{row.id}", data={**change, "reason": " "})
    assert missing.status_code == 422 and "Say why." in missing.get_data(as_text=True)
    assert browser.post(f"/treasury/cover/{row.id}", data=change).status_code in {302, 303}
    assert "A change waits for approval" in browser.get(f"/treasury/cover/{row.id}").get_data(as_text=True)
    assert browser.get(f"/treasury/cover/{request.id}").status_code == 404

    reader = signed_in(Role.AUDITOR)
    assert "Add a cover" not in reader.get("/treasury/cover").get_data(as_text=True)
    assert reader.post("/treasury/cover/new", data=form).status_code == 403
