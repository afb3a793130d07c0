"""Pages of reconciliation and breaks without scripts: every state says what it is and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit.models import AuditEvent, AuditPayload
from dashboard.database import session, transaction
from tests.conftest import People
from tests.treasury.matching.conftest import Desk, Told


@pytest.fixture
def treasury(signed_in: Callable[..., FlaskClient]) -> FlaskClient:
    return signed_in(Role.TREASURER)


def point(desk: Desk, day: Any, **more: str) -> str:
    return f"/treasury/reconciliation?account={desk.bank_id}&day={day}" + "".join(
        f"&{name}={value}" for name, value in more.items()
    )


def words(page: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


def test_before_a_statement_nothing_is_compared(desk: Desk, treasury: FlaskClient) -> None:
    day = desk.close()
    said = words(treasury.get(point(desk, day)))
    assert f"No statement for {day.day} {day:%b}" in said
    assert "Nothing is compared until it arrives" in said
    assert "No data" in said


def test_before_a_run_it_says_how_to_begin(desk: Desk, treasury: FlaskClient) -> None:
    desk.file(Told(10))
    day = desk.close()
    said = words(treasury.get(point(desk, day)))
    assert f"Not run for {day.day} {day:%b}" in said
    assert "Run now (dry run first)" in said


def test_a_run_is_asked_for_shown_and_canceled(desk: Desk, treasury: FlaskClient) -> None:
    desk.file(Told(10))
    day = desk.close()
    form = {"account": str(desk.bank_id), "day": day.isoformat()}
    assert treasury.post("/treasury/reconciliation/run", data=form).status_code == 303
    page = treasury.get(point(desk, day))
    assert "waits to start" in words(page)
    cancel = re.search(r'action="(/treasury/reconciliation/jobs/[^"]+)"', page.text)
    assert cancel
    assert treasury.post(cancel[1], data=form).status_code == 303
    assert "was canceled; nothing of it stays" in words(treasury.get(point(desk, day)))
    progress = treasury.get(f"/treasury/reconciliation/progress?account={desk.bank_id}&day={day}")
    assert progress.headers["HX-Refresh"] == "true"


def test_all_tabs_and_the_equation(desk: Desk, treasury: FlaskClient) -> None:
    desk.ledger(10, "REF-1001")
    desk.ledger(333)
    desk.ledger(77, "REF-1003")
    desk.file(Told(10, ref="REF-1001"), Told(333), Told(-450, text="prowizja"))
    day = desk.close()
    desk.run(day, dry=True)
    assert "Dry run" in words(treasury.get(point(desk, day)))
    desk.run(day)
    page = words(treasury.get(point(desk, day)))
    assert "Missing in ledger" in page
    assert "Bank fee" in page
    assert "Unexplained 0.00" in page
    assert "Reference" in words(treasury.get(point(desk, day, tab="matched")))
    proposed = treasury.get(point(desk, day, tab="proposed"))
    assert "Amount, date and party" in words(proposed)
    assert "0.77" in words(treasury.get(point(desk, day, tab="timing")))
    assert treasury.get(point(desk, day, tab="nothing")).status_code == 422
    accept = re.search(r'action="(/treasury/reconciliation/matches/[^"]+/accept)"', proposed.text)
    assert accept
    assert treasury.post(accept[1], data={"day": str(day)}).status_code == 303
    assert len(desk.matches()) == 2
    [match] = [one for one in desk.matches() if one.amount_minor == 333]
    undo = f"/treasury/reconciliation/matches/{match.id}/undo"
    assert treasury.get(undo).status_code == 200
    assert treasury.post(undo, data={"reason": ""}).status_code == 422
    assert treasury.post(undo, data={"reason": "wrong"}).status_code == 303
    assert len(desk.matches()) == 1


def test_no_breaks_says_how_many_matched(desk: Desk, treasury: FlaskClient) -> None:
    desk.ledger(10, "REF-1001")
    desk.file(Told(10, ref="REF-1001"))
    day = desk.close()
    desk.run(day)
    assert "No breaks. 1 match of this day" in words(treasury.get(point(desk, day)))


def test_a_break_is_worked_on_its_page(desk: Desk, treasury: FlaskClient, people: People) -> None:
    desk.file(Told(-450, text="prowizja"))
    desk.run(desk.close())
    [one] = desk.breaks()
    path = f"/treasury/breaks/{one.id}"
    page = words(treasury.get(path))
    assert "Missing in ledger, −4.50 EUR" in page
    assert "prowizja" in page
    for act in ("take", "acknowledge"):
        assert treasury.post(f"{path}/{act}").status_code == 303
    assert treasury.post(f"{path}/note", data={"text": "asked"}).status_code == 303
    assert "asked" in words(treasury.get(path))
    assert treasury.get(f"{path}/accept").status_code == 200
    assert treasury.post(f"{path}/accept", data={"reason": ""}).status_code == 422
    for short in ("x", "123456789", "  padded   "):
        refused = treasury.post(f"{path}/accept", data={"reason": short})
        assert refused.status_code == 422
        assert "Say why in at least 10 characters." in words(refused)
    assert "A second person decides" in words(treasury.get(f"{path}/accept"))
    assert re.search(r'<input checked[^>]*value="fee"', treasury.get(f"{path}/book").text)
    assert treasury.post(f"{path}/book", data={"reason": "fee", "as": "fee"}).status_code == 303
    assert "Waiting for approval" in words(treasury.get(path))
    assert treasury.get(f"/treasury/breaks/{uuid4()}").status_code == 404


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_booking_without_saying_as_what_names_the_field_and_keeps_the_reason(
    desk: Desk, treasury: FlaskClient, headers: dict[str, str]
) -> None:
    desk.file(Told(-450, text="prowizja"))
    desk.run(desk.close())
    [one] = desk.breaks()
    for more in ({}, {"as": ""}, {"as": "nonsense"}):
        refused = treasury.post(
            f"/treasury/breaks/{one.id}/book", data={"reason": "on the price list", **more}, headers=headers
        )
        assert refused.status_code == 422
        assert "on the price list" in words(refused)
        assert "1 field needs you. Book it as" in words(refused)
        assert "Choose what it is." in words(refused)


def test_matching_by_hand_adds_up_and_matches(desk: Desk, treasury: FlaskClient) -> None:
    row = desk.ledger(1_250_00)
    [line] = desk.file(Told(1_245_50))
    day = desk.close()
    desk.run(day)
    form = {"account": str(desk.bank_id), "day": str(day), "lines": str(line), "transactions": str(row)}
    assert "1,250.00" in words(treasury.get(f"/treasury/reconciliation/match?account={desk.bank_id}&day={day}"))
    total = words(treasury.post("/treasury/reconciliation/match/sum", data=form))
    assert "Ledger 1,250.00 EUR · Bank 1,245.50 EUR · left −4.50 EUR" in total
    assert "Book −4.50 EUR" in total
    refused = treasury.post("/treasury/reconciliation/match", data={**form, "act": "match"})
    assert refused.status_code == 422
    assert "The sums differ" in words(refused)
    asked = treasury.post(
        "/treasury/reconciliation/match", data={**form, "act": "book", "as": "fee", "reason": "kept on the way"}
    )
    assert asked.status_code == 303
    wrong = treasury.get(f"/treasury/reconciliation/match?account={desk.bank_id}&day={day}&amount=abc")
    assert wrong.status_code == 422


def test_the_list_of_breaks_filters_and_exports_what_it_shows(desk: Desk, treasury: FlaskClient) -> None:
    desk.file(Told(-450, text="prowizja"), Told(999, text="who"))
    desk.run(desk.close())
    page = treasury.get("/treasury/breaks")
    assert "0–1 bd" in words(page)
    assert "2 breaks" in words(page)
    assert "Bank fee" not in words(treasury.get("/treasury/breaks?state=resolved"))
    assert "Nothing fits these filters" in words(treasury.get("/treasury/breaks?owner=me"))
    assert treasury.get("/treasury/breaks?kind=nonsense").status_code == 422
    assert treasury.get("/treasury/breaks?cursor=nonsense").status_code == 400
    csv = treasury.get("/treasury/breaks/export/csv?currency=eur")
    assert "-4.50" in csv.text
    assert "# Filter: Currency: eur" in csv.text
    assert treasury.get("/treasury/breaks/export/doc").status_code == 422


def test_rules_are_read_by_all_and_changed_by_two(desk: Desk, treasury: FlaskClient, senior: Actor) -> None:
    page = treasury.get("/treasury/reconciliation/rules")
    assert "version 1 is in force" in words(page)
    values = {
        "place.reference": "1", "days.reference": "10", "place.text": "2", "days.text": "5", "timingDays": "1",
        "dueDays": "2", "acceptAlone.eur": "5.00", "reason": "fewer passes",
    }  # fmt: skip
    wrong = treasury.post("/treasury/reconciliation/rules", data={**values, "place.text": "1", "timingDays": "x"})
    assert wrong.status_code == 422
    assert "Give each pass a place of its own" in words(wrong)
    assert treasury.post("/treasury/reconciliation/rules", data=values).status_code == 303
    assert "A change waits for approval" in words(treasury.get("/treasury/reconciliation/rules"))
    [asked] = session().scalars(sa.select(ApprovalRequest))
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=senior)
    assert "version 2 is in force" in words(treasury.get("/treasury/reconciliation/rules"))
    told = session().scalars(
        sa.select(AuditPayload.reason)
        .join(AuditEvent, AuditEvent.id == AuditPayload.event_id)
        .where(AuditEvent.action == "match_rules.changed")
    )
    assert list(told) == ["fewer passes"]


def test_who_only_reads_has_no_acts(desk: Desk, signed_in: Callable[..., FlaskClient]) -> None:
    desk.file(Told(-450, text="prowizja"))
    day = desk.close()
    desk.run(day)
    auditor = signed_in(Role.AUDITOR)
    [one] = desk.breaks()
    page = auditor.get(f"/treasury/breaks/{one.id}")
    assert page.status_code == 200
    assert "Acknowledge" not in page.text
    assert "Run again" not in auditor.get(point(desk, day)).text
    assert auditor.post(f"/treasury/breaks/{one.id}/acknowledge").status_code == 403
    assert signed_in(Role.OFFICER).post("/treasury/reconciliation/run").status_code == 403


def test_a_statement_that_is_not_there_refuses_a_run_in_words(desk: Desk, treasury: FlaskClient) -> None:
    day = desk.close()
    form = {"account": str(desk.bank_id), "day": day.isoformat()}
    answer = treasury.post("/treasury/reconciliation/run", data=form, follow_redirects=True)
    assert "There is no statement" in words(answer)
    assert treasury.post("/treasury/reconciliation/run", data={"account": "x"}).status_code == 422
