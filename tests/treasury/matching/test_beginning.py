"""The first statement of an account: its opening balance covers what was booked before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.exc import DBAPIError, IntegrityError

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, Refused
from dashboard.staff.models import Role
from dashboard.treasury.matching import queries
from dashboard.treasury.matching.models import CarriedIn
from dashboard.treasury.matching.services import beginning
from tests.treasury.matching.conftest import Desk, Told


def days_of(desk: Desk) -> tuple[date, date, date]:
    """Three days, each with a posting of its own; the bank has 7 of 100 less on the first."""
    ended = []
    for amount, ref in ((100, "REF-100A"), (200, "REF-100B"), (300, "REF-100C")):
        desk.ledger(amount, ref)
        ended.append(desk.close())
    return ended[0], ended[1], ended[2]


def test_what_was_booked_before_the_first_statement_is_no_break(desk: Desk) -> None:
    _, _, third = days_of(desk)
    desk.closing = 300
    desk.file(Told(300, ref="REF-100C"), day=third)
    run = desk.run(third)
    assert (run.figures["ledgerRows"], desk.kinds(), desk.open_items()) == (1, [], set())
    stands = queries.equation(desk.bank_id, third)
    assert (stands.begins_on, stands.carried_minor, stands.unexplained_minor) == (third, 0, 0)


def test_a_difference_from_before_is_told_and_unexplained(desk: Desk) -> None:
    _, _, third = days_of(desk)
    desk.closing = 293
    desk.file(Told(300, ref="REF-100C"), day=third)
    desk.run(third)
    stands = queries.equation(desk.bank_id, third)
    assert (stands.ledger_minor, stands.statement_minor, stands.breaks_minor) == (600, 593, 0)
    assert (stands.carried_minor, stands.unexplained_minor) == (-7, -7)


def test_an_earlier_statement_moves_the_beginning_back_in_either_order(desk: Desk) -> None:
    _, second, third = days_of(desk)
    told = {}
    for order in ((third, second), (second, third)):
        one = desk if not told else Desk()
        if told:
            _, second, third = days_of(one)
            order = (second, third)
        for day in order:
            one.closing = 100 if day == second else 300
            one.file(Told(200, ref="REF-100B") if day == second else Told(300, ref="REF-100C"), day=day)
            one.run(day)
        one.run(third)
        stands = queries.equation(one.bank_id, third)
        assert stands.begins_on == second
        told[one.bank_id] = (
            stands.carried_minor, stands.unexplained_minor, one.kinds(), one.open_items(),
            sorted(match.amount_minor for match in one.matches()),
        )  # fmt: skip
    assert list(told.values()) == [(0, 0, [], set(), [200, 300])] * 2


SignIn = Callable[..., FlaskClient]

WHY = "The account was opened with 7 less; see the letter of the bank."


def short_by_seven(desk: Desk) -> date:
    _, _, third = days_of(desk)
    desk.closing = 293
    desk.file(Told(300, ref="REF-100C"), day=third)
    desk.run(third)
    return third


def asked(desk: Desk, by: Actor) -> ApprovalRequest:
    with transaction():
        return beginning.accept(desk.bank_id, reason=WHY, by=by)


def decided(request: ApprovalRequest, by: Actor, *, approve: bool = True) -> str:
    with transaction():
        return approvals.decide(request.id, approve=approve, reason="seen", by=by).state


def test_two_people_let_stand_what_was_carried_in(desk: Desk, treasurer: Actor, senior: Actor) -> None:
    day = short_by_seven(desk)
    request = asked(desk, treasurer)
    assert queries.equation(desk.bank_id, day).unexplained_minor == -7
    with pytest.raises(Forbidden), transaction():
        approvals.decide(request.id, approve=True, reason="", by=treasurer)
    assert decided(request, senior) == "approved"
    stands = queries.equation(desk.bank_id, day)
    assert (stands.carried_minor, stands.carried_accepted, stands.unexplained_minor) == (-7, True, 0)
    with pytest.raises(Conflict, match="already"):
        asked(desk, treasurer)


def test_a_rejected_acceptance_changes_nothing(desk: Desk, treasurer: Actor, senior: Actor) -> None:
    day = short_by_seven(desk)
    assert decided(asked(desk, treasurer), senior, approve=False) == "rejected"
    stands = queries.equation(desk.bank_id, day)
    assert (stands.carried_accepted, stands.unexplained_minor) == (False, -7)


def test_an_acceptance_ends_with_the_balances_that_it_was_given_for(
    desk: Desk, treasurer: Actor, senior: Actor
) -> None:
    _, second, third = days_of(desk)
    desk.closing = 293
    desk.file(Told(300, ref="REF-100C"), day=third)
    desk.run(third)
    late = asked(desk, treasurer)
    desk.closing = 90
    desk.file(Told(203, ref="REF-100B"), day=second)
    desk.run(third)
    assert queries.equation(desk.bank_id, third).carried_minor == -10
    assert decided(late, senior) == "stale"
    assert not session().scalars(sa.select(CarriedIn)).all()
    assert decided(asked(desk, treasurer), senior) == "approved"
    assert queries.equation(desk.bank_id, third).carried_accepted


def test_nothing_carried_in_is_nothing_to_accept(desk: Desk, treasurer: Actor) -> None:
    with pytest.raises(Refused, match="Nothing was carried in"):
        asked(desk, treasurer)
    _, _, third = days_of(desk)
    desk.closing = 300
    desk.file(Told(300, ref="REF-100C"), day=third)
    desk.run(third)
    with pytest.raises(Refused, match="Nothing was carried in"):
        asked(desk, treasurer)


def test_one_word_is_no_reason(desk: Desk, treasurer: Actor) -> None:
    short_by_seven(desk)
    with pytest.raises(Invalid), transaction():
        beginning.accept(desk.bank_id, reason="ok", by=treasurer)


def test_the_database_takes_no_acceptance_without_two_people(desk: Desk, treasurer: Actor, senior: Actor) -> None:
    day = short_by_seven(desk)
    request = asked(desk, treasurer)
    row = {
        "id": uuid4(), "bank": desk.bank_id, "day": day, "opening": 293, "ledger": 300, "why": WHY,
        "request": request.id, "at": clock.now(),
    }  # fmt: skip
    with pytest.raises(IntegrityError, match="carried_in_by_two|two people accept"), transaction() as current:
        current.execute(
            sa.text(
                "INSERT INTO carried_in (id, bank_account_id, begins_on, opening_minor, ledger_minor, reason,"
                " approval_id, accepted_at) VALUES (:id, :bank, :day, :opening, :ledger, :why, :request, :at)"
            ),
            row,
        )
    assert decided(request, senior) == "approved"
    for change in ("UPDATE carried_in SET reason = 'something else'", "DELETE FROM carried_in"):
        with pytest.raises(DBAPIError, match="permission denied"), transaction() as current:
            current.execute(sa.text(change))


def test_the_page_says_what_was_carried_in_and_asks_for_its_acceptance(
    desk: Desk, signed_in: SignIn, senior: Actor
) -> None:
    day = short_by_seven(desk)
    point = f"/treasury/reconciliation?account={desk.bank_id}&day={day}"
    browser = signed_in(Role.TREASURER)
    where = f"/treasury/reconciliation/{desk.bank_id}/carried-in"
    page = browser.get(point).text
    assert "−0.07 EUR" in page and where in page
    dialog = browser.get(where).text
    assert "2.93 EUR" in dialog and "3.00 EUR" in dialog and "A second person decides" in dialog
    assert browser.post(where, data={"reason": "short"}).status_code == 422
    assert browser.post(where, data={"reason": WHY}).status_code == 303
    assert "Waits for a second person" in browser.get(point).text
    # nobody asks twice
    assert browser.post(where, data={"reason": WHY}).status_code == 409
    request = session().scalars(sa.select(ApprovalRequest).where(ApprovalRequest.kind == "treasury.carriedIn")).one()
    told = signed_in(Role.TREASURER, "Second").get(f"/approvals/{request.id}").text
    assert "Difference that stands" in told and "−0.07 EUR" in told
    assert decided(request, senior) == "approved"
    assert "Two people accepted it." in browser.get(point).text
    assert browser.get(where).status_code == 303
    assert signed_in(Role.AUDITOR).get(where).status_code == 403
