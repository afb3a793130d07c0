"""Executing by hand takes two people; whatever happens meanwhile, there is one outcome."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Audience, Role
from dashboard.approvals import services as approvals
from dashboard.approvals.kinds import kind_of
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import constraint_of, session, transaction
from dashboard.errors import DomainError, Forbidden, Invalid
from dashboard.settings import Settings
from dashboard.transfers.models import Transfer
from dashboard.transfers.providers.port import Outcome
from dashboard.transfers.services.outgoing import cancel, executing, results
from dashboard.transfers.services.outgoing.executing import ByHand
from tests.conftest import Databases, open_session
from tests.ledger import invariants
from tests.transfers.sending import BY, Sending, sending
from tests.transfers.test_outgoing_at_once import at_once

EXECUTED: dict[str, Any] = {"outcome": ByHand.EXECUTED, "provider_reference": "SB-77", "comment": "By phone"}
REJECTED: dict[str, Any] = {"outcome": ByHand.REJECTED, "reason_code": "AC04", "comment": "By letter"}
FROM = ["confirmed", "manualReview", "submitted", "unknown"]


@pytest.fixture(scope="module")
def opened(databases: Databases, configured: Settings) -> Iterator[Sending]:
    with sending(databases, configured, threads=10) as house:
        yield house


@pytest.fixture
def house(opened: Sending) -> Sending:
    opened.start_over()
    return opened


def ask(house: Sending, transfer: Transfer, *, by: Actor | None = None, **said: Any) -> ApprovalRequest:
    with transaction():
        return executing.ask_to_execute(transfer.id, **said, by=by or house.maker)


def decide(house: Sending, request: ApprovalRequest, *, approve: bool = True) -> str:
    with transaction():
        return approvals.decide(request.id, approve=approve, reason=None if approve else "No", by=house.senior).state


@pytest.mark.parametrize("status", FROM)
def test_two_people_execute(house: Sending, status: str) -> None:
    made = house.in_status(status)
    request = ask(house, made, **EXECUTED)
    assert house.fresh(made).status == status, "asking changes nothing"
    assert decide(house, request) == "approved"
    made = house.fresh(made)
    assert (made.status, made.provider_reference, made.execute_approval_id) == ("completed", "SB-77", request.id)
    assert house.balance(house.account) == (1_000_000 - 12_59, 0)
    assert house.sent(made) is None and house.line(made).state == "settled"  # type: ignore[union-attr]
    assert not invariants.broken()


@pytest.mark.parametrize("status", FROM)
def test_two_people_reject(house: Sending, status: str) -> None:
    made = house.in_status(status)
    assert decide(house, ask(house, made, **REJECTED)) == "approved"
    assert house.fresh(made).status == "rejected" and house.balance(house.account) == (1_000_000, 0)
    assert not invariants.broken()


def test_the_maker_does_not_decide_and_a_no_changes_nothing(house: Sending) -> None:
    made = house.submitted()
    request = ask(house, made, **EXECUTED)
    with pytest.raises(Forbidden):
        with transaction():
            approvals.decide(request.id, approve=True, reason=None, by=house.maker)
    assert decide(house, request, approve=False) == "rejected"
    assert house.fresh(made).status == "submitted"


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({**EXECUTED, "provider_reference": None}, {"providerReference"}),
        ({**EXECUTED, "provider_reference": " "}, {"providerReference"}),
        ({**EXECUTED, "reason_code": "AC04"}, {"reasonCode"}),
        ({**REJECTED, "reason_code": None}, {"reasonCode"}),
        ({**REJECTED, "reason_code": "!"}, {"reasonCode"}),
        ({**EXECUTED, "comment": " "}, {"comment"}),
        ({**EXECUTED, "provider_reference": "x" * 141, "comment": ""}, {"providerReference", "comment"}),
    ],
)
def test_it_needs_the_providers_word(house: Sending, said: dict[str, Any], fields: set[str]) -> None:
    made = house.submitted()
    with pytest.raises(Invalid) as caught:
        executing.ask_to_execute(made.id, **said, by=house.maker)
    assert {error.field for error in caught.value.errors} == fields
    session().rollback()


@pytest.mark.parametrize("news", [Outcome.EXECUTED, Outcome.REJECTED, Outcome.UNKNOWN])
def test_what_the_provider_says_meanwhile_makes_the_request_stale(house: Sending, news: Outcome) -> None:
    made = house.submitted()
    request = ask(house, made, **REJECTED)
    house.tell(made, news)
    status, balance = house.fresh(made).status, house.balance(house.account)
    try:
        assert decide(house, request) == "stale"
    except DomainError as error:
        assert error.code == "alreadyDecided"
    assert house.fresh(made).status == status and house.balance(house.account) == balance


def test_canceling_meanwhile_makes_the_request_stale(house: Sending) -> None:
    made = house.held()
    request = ask(house, made, **EXECUTED)
    with transaction():
        cancel.cancel(made.id, reason="Not wanted", by=BY)
    assert session().get_one(ApprovalRequest, request.id, populate_existing=True).state == "stale"
    assert house.balance(house.account) == (1_000_000, 0)


def test_deciding_and_the_providers_word_at_once_have_one_outcome(house: Sending) -> None:
    from dashboard.transfers.providers.port import Report
    from tests.transfers.sending import PROVIDER

    for amount in (10_00, 20_00, 30_00):
        before = house.balance(house.account)[0]
        made = house.submitted(amount)
        request = ask(house, made, **EXECUTED)
        senior, told = house.senior, Report(made.end_to_end_id or "", Outcome.REJECTED, code="AC04")
        said = at_once(
            *[
                lambda request=request: approvals.decide(request.id, approve=True, reason=None, by=senior).state,
                lambda told=told: results.report(PROVIDER, told, by=BY),
            ]
            * 3  # type: ignore[arg-type]
        )
        assert not [each for each in said if str(each).startswith("database")]
        made = house.fresh(made)
        spent = amount + 25 if made.status == "completed" else 0
        assert made.status in {"completed", "rejected"} and house.balance(house.account) == (before - spent, 0)
    assert not invariants.broken()


def test_one_person_alone_is_stopped_by_the_database(house: Sending) -> None:
    made = house.held()
    with pytest.raises(sa.exc.IntegrityError) as caught:
        with transaction():
            results.executed(house.fresh(made), provider_reference="SB-1", by=house.maker)
    assert constraint_of(caught.value) == "transfer_executed_by_two"
    assert house.fresh(made).status == "manualReview" and house.balance(house.account)[1] == 12_59


def test_an_internal_transfer_is_not_executed_by_a_provider(house: Sending) -> None:
    other = house.active("Kask")
    recipient = house.known(house.client, "Mari Kask", house.opened(other, 0).number)
    house.confirmed(recipient=recipient)
    held = house.confirmed(recipient=recipient)
    with pytest.raises(DomainError) as caught:
        executing.ask_to_execute(held.id, **EXECUTED, by=house.maker)
    session().rollback()
    assert (held.status, caught.value.code) == ("manualReview", "internalTransfer")


def test_a_person_never_executes_alone(house: Sending) -> None:
    made = house.submitted()
    with pytest.raises(DomainError) as caught:
        executing.execute(made.id, **EXECUTED, by=house.senior)
    session().rollback()
    assert caught.value.code == "secondPersonRequired"


def test_the_request_reads_back_amount_accounts_and_evidence(house: Sending) -> None:
    made = house.submitted()
    request = ask(house, made, **EXECUTED)
    kind = kind_of("transfers.execute")
    assert kind.details is not None
    detail = kind.details([request], house.senior)[request.id]
    said = " ".join(str(part) for line in detail.lines for part in line.parts)
    assert "12.34 EUR" in said and "SB-77" in said and "Jonas Petrauskas" in said and "5685" in said
    assert detail.links[0].url == f"/transfers/{made.id}"
    assert kind.about(request.subject) == "Execute by hand 12.34 EUR to Jonas Petrauskas"


def test_the_approvals_page_shows_it(house: Sending) -> None:
    from flask import current_app

    from dashboard.staff.models import StaffMember

    made = house.submitted()
    request = ask(house, made, **EXECUTED)
    assert house.senior.id is not None and house.senior.role == Role.SENIOR_OFFICER
    member = session().get_one(StaffMember, house.senior.id)
    browser = open_session(current_app._get_current_object(), member)  # type: ignore[attr-defined]
    page = browser.get("/approvals/")
    if page.status_code == 404:
        page = browser.get("/approvals")
    assert page.status_code == 200 and str(request.id) in page.text and "SB-77" in page.text
    assert Audience.SYSTEM.value == "system"
