"""Rules are data: one person asks for another version, a second one decides, and the database knows no other way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import constraint_of, savepoint, session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, Refused
from dashboard.transfers.models import RuleChange
from dashboard.transfers.services import rules
from dashboard.transfers.services.desk import limits
from dashboard.transfers.services.rules import Rule
from tests.conftest import People

SignIn = Callable[..., FlaskClient]
EUR = {"currency": "eur"}


def refused_by(statement: str, **values: Any) -> str:
    """The named rule of the database that stops the application's role."""
    with pytest.raises(sa.exc.DBAPIError) as refusal, savepoint():
        session().execute(sa.text(statement), values)
    if "permission denied" in str(refusal.value):
        return "no grant"
    assert isinstance(refusal.value, sa.exc.IntegrityError)
    return constraint_of(refusal.value) or ""


def asked(by: Actor, minor: int, *, currency: str = "eur") -> ApprovalRequest:
    with transaction():
        return rules.ask(
            Rule.DESK, {"currency": currency}, {"two_people_above_minor": minor}, reason="agreed in March", by=by
        )


def decided(request: ApprovalRequest, by: Actor) -> str:
    with transaction():
        return approvals.decide(request.id, approve=True, reason=None, by=by).state


def test_a_higher_desk_limit_is_in_force_once_two_people_agree_and_the_old_version_is_kept(people: People) -> None:
    admin, senior, officer = (people.actor(role) for role in (Role.ADMIN, Role.SENIOR_OFFICER, Role.OFFICER))
    with pytest.raises(Forbidden, match="stricter limits only"):
        asked(officer, 2_000_000)
    request = asked(admin, 2_000_000)
    assert (request.kind, request.subject) == ("rules.change", "Desk limit EUR")
    assert (request.before, request.after) == (
        {"Two people above": "10,000.00 EUR"}, {"Two people above": "20,000.00 EUR"},
    )  # fmt: skip
    assert limits.needs_two("eur", 1_500_000)
    with pytest.raises(Forbidden):
        decided(request, admin)
    with pytest.raises(Forbidden):
        decided(request, officer)
    with pytest.raises(Conflict):
        asked(admin, 3_000_000)
    assert decided(request, senior) == "approved"
    assert not limits.needs_two("eur", 1_500_000)
    assert limits.needs_two("gbp", 1_500_000)
    kept = session().scalars(sa.select(RuleChange)).one()
    assert (kept.rule, kept.approval_id) == ("desk_limit", request.id)
    assert kept.was == {"currency": "eur", "two_people_above_minor": 1_000_000}
    assert kept.becomes == {"currency": "eur", "two_people_above_minor": 2_000_000}
    assert [change.approval_id for change in rules.changes()] == [request.id]
    with pytest.raises(Refused, match="already"):
        asked(admin, 2_000_000)


def test_a_stricter_limit_is_a_kind_of_its_own_that_officers_ask_for_and_the_database_holds_it_to_that(
    people: People,
) -> None:
    officer, senior = people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER)
    first, second = asked(officer, 500_000), asked(senior, 1_200_000)
    assert (first.kind, second.kind) == ("rules.tighten", "rules.change")
    assert decided(second, people.actor(Role.ADMIN)) == "approved"
    # what the first one saw is gone
    assert decided(first, senior) == "stale"
    assert not limits.needs_two("eur", 1_200_000)
    loosened = asked(officer, 400_000)
    # the same in the database: a forged request of this kind lets nothing more pass
    for was, becomes, stricter in (
        ({"two_people_above_minor": 5}, {"two_people_above_minor": 4}, True),
        ({"two_people_above_minor": 5}, {"two_people_above_minor": 6}, False),
        (None, {"two_people_above_minor": 6}, False),
    ):
        found = session().scalar(
            sa.text("SELECT rule_is_stricter('desk_limit', CAST(:was AS jsonb), CAST(:becomes AS jsonb))"),
            {"was": json.dumps(was), "becomes": json.dumps(becomes)},
        )
        assert found is stricter
        assert rules.is_stricter(Rule.DESK, was, becomes) is stricter
    assert decided(loosened, senior) == "approved"
    assert limits.needs_two("eur", 400_001)


@pytest.mark.parametrize(
    ("before", "after", "stricter"),
    [
        ((100, 200, 300), (100, 150, 300), True),
        ((100, 200, 300), (100, 200, 301), False),
        ((100, 200, 300), (100, 200, None), False),
        ((None, None, None), (100, None, None), True),
        ((100, None, None), (50, 60, None), True),
        (None, (0, 0, 0), True),
    ],
)
def test_the_service_and_the_database_agree_on_which_limits_are_stricter(
    people: People, before: tuple[int | None, ...] | None, after: tuple[int | None, ...], stricter: bool
) -> None:
    names = ("per_transfer_minor", "per_day_minor", "per_month_minor")
    was = dict(zip(names, before, strict=True)) if before else None
    becomes = dict(zip(names, after, strict=True))
    assert rules.is_stricter(Rule.LIMIT, was, becomes) is stricter
    found = session().scalar(
        sa.text("SELECT rule_is_stricter('transfer_limit', CAST(:was AS jsonb), CAST(:becomes AS jsonb))"),
        {"was": json.dumps(was), "becomes": json.dumps(becomes)},
    )
    assert found is stricter


def test_no_table_of_rules_changes_but_to_what_an_approved_request_says(people: People) -> None:
    officer, senior = people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER)
    for statement in (
        "UPDATE desk_limit SET two_people_above_minor = 99999999999",
        "UPDATE transfer_limit SET per_day_minor = NULL",
        "UPDATE transfer_fee SET fixed_minor = 0 WHERE type = 'swift'",
        "UPDATE transfer_country_rule SET outcome = 'allowed'",
        "INSERT INTO transfer_country_rule (country, outcome, note) VALUES ('FR', 'refused', 'x')",
    ):
        assert refused_by(statement) == "rule_by_two"
    for table in ("desk_limit", "transfer_limit", "transfer_fee", "transfer_country_rule"):
        assert refused_by(f"DELETE FROM {table}") == "no grant"
    forged = "INSERT INTO rule_change (id, rule, object_id, becomes, approval_id, changed_at)"
    for verb in (
        "UPDATE rule_change SET rule = rule",
        "DELETE FROM rule_change",
        f"{forged} SELECT id, 'x', id, '{{}}', id, now() FROM approval_request",
    ):
        assert refused_by(verb) == "no grant"
    waiting = asked(officer, 900_000)
    by_request = "UPDATE desk_limit SET two_people_above_minor = :minor, approval_id = :id WHERE currency = :currency"
    assert refused_by(by_request, minor=900_000, id=waiting.id, currency="eur") == "rule_by_two"
    assert decided(waiting, senior) == "approved"
    # another amount, another currency, and the same request a second time after another change
    assert refused_by(by_request, minor=900_001, id=waiting.id, currency="eur") == "rule_by_two"
    assert refused_by(by_request, minor=900_000, id=waiting.id, currency="gbp") == "rule_by_two"
    assert decided(asked(officer, 800_000), senior) == "approved"
    assert refused_by(by_request, minor=900_000, id=waiting.id, currency="eur") == "rule_by_two"


def test_limits_fees_and_countries_change_the_same_way_and_are_checked_first(people: People) -> None:
    admin, senior = people.actor(Role.ADMIN), people.actor(Role.SENIOR_TREASURER)
    limit, fee = {"risk_level": 1, "currency": "eur"}, {"type": "swift", "currency": "usd"}
    wanted: list[tuple[Rule, dict[str, Any], dict[str, Any]]] = [
        (Rule.LIMIT, limit, {"per_transfer_minor": 1, "per_day_minor": 2, "per_month_minor": None}),
        (Rule.FEE, fee, {"fixed_minor": 100, "basis_points": 5, "most_minor": None}),
        (Rule.COUNTRY, {"country": "IR"}, {"outcome": "allowed", "note": "list of June"}),
        (Rule.COUNTRY, {"country": "FR"}, {"outcome": "review", "note": "trial"}),
    ]
    for rule, key, values in wanted:
        with transaction():
            request = rules.ask(rule, key, values, reason="agreed", by=admin)
        assert request.kind == "rules.change"
        assert decided(request, senior) == "approved"
        assert rules.standing(rule, key) == {**key, **values}
    bad: list[tuple[Rule, dict[str, Any], dict[str, Any], set[str]]] = [
        (Rule.LIMIT, limit, {"per_transfer_minor": 5, "per_day_minor": 4, "per_month_minor": 3},
         {"per_day", "per_month"}),
        (Rule.LIMIT, limit, {"per_transfer_minor": -1}, {"per_transfer"}),
        (Rule.FEE, fee, {"fixed_minor": None, "basis_points": 10_001}, {"fixed", "basis_points"}),
        (Rule.COUNTRY, {"country": "FR"}, {"outcome": "maybe", "note": " "}, {"outcome", "note"}),
    ]  # fmt: skip
    for rule, key, values, fields in bad:
        with pytest.raises(Invalid) as refusal, transaction():
            rules.ask(rule, key, values, reason="agreed", by=admin)
        assert {error.field for error in refusal.value.errors} == fields


def test_the_page_lists_every_kind_with_amounts_people_and_hours_and_asks_by_form(
    signed_in: SignIn, people: People
) -> None:
    browser = signed_in(Role.SENIOR_OFFICER)
    page = browser.get("/approvals/rules").text
    for words in (
        "Unblock …", "above 10,000.00 EUR", "Officers and senior officers", "business hours", "always",
        "also many at once", "Risk low", "SEPA Instant", "Myanmar", "as installed",
    ):  # fmt: skip
        assert words in page
    assert page.count("also many at once") == 1
    assert "Risk low" in browser.get("/approvals/rules?currency=jpy").text
    place = "/transfers/rules/desk_limit/gbp"
    assert 'value="8500.00"' in browser.get(place).text or "GBP" in browser.get(place).text
    wrong = browser.post(place, data={"two_people_above": "12,5.005", "reason": ""})
    assert (wrong.status_code, "Say why." in wrong.text) == (422, True)
    wrong = browser.post(place, data={"two_people_above": "12.005", "reason": "x"})
    assert (wrong.status_code, "Write an amount in GBP" in wrong.text) == (422, True)
    done = browser.post(place, data={"two_people_above": "1 250.50", "reason": "agreed"})
    assert (done.status_code, done.headers["Location"]) == (303, "/approvals/rules?currency=gbp")
    request = session().scalars(sa.select(ApprovalRequest).where(ApprovalRequest.subject == "Desk limit GBP")).one()
    assert request.payload["becomes"] == {"currency": "gbp", "two_people_above_minor": 125_050}
    assert decided(request, people.actor(Role.OFFICER)) == "approved"
    page = browser.get("/approvals/rules").text
    assert "Two people above 1,250.50 GBP" in page
    assert f"/approvals/{request.id}" in page
    junior = signed_in(Role.OFFICER)
    assert junior.post(place, data={"two_people_above": "99999", "reason": "more"}).status_code == 403
    assert "You may ask for stricter limits." in junior.get("/approvals/rules").text
    assert signed_in(Role.AUDITOR).get("/approvals/rules").status_code == 200
    assert signed_in(Role.AUDITOR).post(place, data={"two_people_above": "1", "reason": "x"}).status_code == 403
    for nowhere in ("desk_limit/xxx", "transfer_limit/9-eur", "transfer_fee/eur", "api_token/eur",
                    "transfer_country_rule/QQ", "transfer_limit/1-eur-2"):  # fmt: skip
        assert browser.get(f"/transfers/rules/{nowhere}").status_code == 404
    assert browser.get("/transfers/rules/country?key=fr").headers["Location"].endswith("/transfer_country_rule/FR")


def test_an_administrator_sees_and_decides_rules_and_no_request_about_clients(
    signed_in: SignIn, people: People
) -> None:
    from tests.approvals.test_four_eyes import asked as asked_about_a_client

    about_client = asked_about_a_client(people.actor(Role.OFFICER))
    rule = asked(people.actor(Role.SENIOR_OFFICER), 1_100_000)
    browser = signed_in(Role.ADMIN)
    page = browser.get("/approvals?view=open").text
    assert "Desk limit EUR" in page
    assert "Mari Ilves" not in page
    assert browser.get(f"/approvals/{about_client.id}").status_code == 404
    assert browser.post(f"/approvals/{rule.id}/approve").status_code == 303
    assert not limits.needs_two("eur", 1_100_000)
