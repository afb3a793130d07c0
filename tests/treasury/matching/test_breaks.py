"""Breaks: what people do with them, and what takes two."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, Refused
from dashboard.ledger.models import LedgerTransaction
from dashboard.queues.models import QueueItem
from dashboard.treasury.matching import queries
from dashboard.treasury.matching.models import BreakEvent, ReconBreak
from dashboard.treasury.matching.queries import break_rows
from dashboard.treasury.matching.queries.break_rows import BreakFilter
from dashboard.treasury.matching.rules import RuleSet
from dashboard.treasury.matching.services import booking, breaks, matches, rules
from dashboard.treasury.matching.services.booking import BookedAs
from dashboard.treasury.matching.vocabulary import QUEUE
from tests.conftest import People
from tests.treasury.matching.conftest import Desk, Told


def history(one: ReconBreak) -> list[str]:
    return [
        event.kind
        for event in session().scalars(
            sa.select(BreakEvent).where(BreakEvent.break_id == one.id).order_by(BreakEvent.id)
        )
    ]


def fresh(one: ReconBreak) -> ReconBreak:
    found = session().get(ReconBreak, one.id, populate_existing=True)
    assert found is not None
    return found


def decide(request: ApprovalRequest, by: Actor, *, approve: bool = True) -> str:
    with transaction():
        return approvals.decide(request.id, approve=approve, reason="seen", by=by).state


@pytest.fixture
def fee(desk: Desk) -> ReconBreak:
    """The bank took 4.50 that nobody booked."""
    desk.file(Told(-450, text="prowizja"))
    desk.run(desk.close())
    [one] = desk.breaks()
    return one


def test_a_break_waits_in_the_queue_until_the_close_of_a_business_day(fee: ReconBreak) -> None:
    item = session().scalars(sa.select(QueueItem).where(QueueItem.object_id == fee.id)).one()
    assert (item.queue, item.cause, item.object_type) == (QUEUE, "missingInLedger", "recon_break")
    assert item.due_at == clock.calendar().due_after(fee.found_at, 1)
    assert history(fee) == ["found"]


def test_it_is_acknowledged_taken_given_back_and_noted(fee: ReconBreak, treasurer: Actor, senior: Actor) -> None:
    with transaction():
        breaks.take(fee.id, by=treasurer)
        breaks.acknowledge(fee.id, text="bank asked by phone", by=treasurer)
        breaks.note(fee.id, text="ticket 4471", by=treasurer)
    with pytest.raises(Conflict, match="colleague"), transaction():
        breaks.take(fee.id, by=senior)
    with pytest.raises(Conflict), transaction():
        breaks.acknowledge(fee.id, by=treasurer)
    with transaction():
        breaks.release(fee.id, by=treasurer)
    assert fresh(fee).state == "acknowledged"
    assert history(fee) == ["found", "taken", "acknowledged", "note", "released"]


def test_who_may_not_write_may_do_nothing(fee: ReconBreak, people: People) -> None:
    auditor = people.actor(Role.AUDITOR)
    for verb in (
        lambda: breaks.acknowledge(fee.id, by=auditor),
        lambda: breaks.take(fee.id, by=auditor),
        lambda: breaks.accept(fee.id, reason="x", by=auditor),
        lambda: matches.match_by_hand(fee.bank_account_id, lines=[], transactions=[], by=auditor),
    ):
        with pytest.raises(Forbidden), transaction():
            verb()
    assert fresh(fee).state == "open"


def test_accepting_needs_a_second_person_where_the_rules_give_no_limit(
    desk: Desk, fee: ReconBreak, treasurer: Actor, senior: Actor
) -> None:
    with transaction():
        asked = breaks.accept(fee.id, reason="below cost of asking", by=treasurer)
    assert isinstance(asked, ApprovalRequest)
    assert fresh(fee).state == "open"
    with pytest.raises(Forbidden), transaction():
        approvals.decide(asked.id, approve=True, reason="", by=treasurer)
    assert decide(asked, senior) == "approved"
    one = fresh(fee)
    assert (one.state, one.resolution, one.approval_id) == ("resolved", "accepted", asked.id)
    kept = session().get_one(BreakEvent, one.evidence_id)
    assert kept.detail["differenceMinor"] == -450
    assert kept.detail["rows"][0]["amountMinor"] == -450
    assert kept.detail["point"]["statementMinor"] == -450
    # it stays accepted when the next day is run
    desk.file()
    desk.run(desk.close())
    assert fresh(fee).resolution == "accepted"
    assert desk.kinds() == []


def test_a_rejected_acceptance_leaves_the_break_open(fee: ReconBreak, treasurer: Actor, senior: Actor) -> None:
    with transaction():
        asked = breaks.accept(fee.id, reason="small and old", by=treasurer)
    assert isinstance(asked, ApprovalRequest)
    assert decide(asked, senior, approve=False) == "rejected"
    assert fresh(fee).state == "open"
    assert history(fee) == ["found", "asked", "dropped"]


def test_up_to_the_limit_of_the_rules_one_person_accepts(fee: ReconBreak, treasurer: Actor, senior: Actor) -> None:
    standing = rules.in_force()
    wanted = RuleSet(standing.version, standing.steps, standing.timing_days, standing.due_days, {"eur": 500})
    with transaction():
        asked = rules.ask(wanted, reason="small sums cost more than they are", by=treasurer)
    assert decide(asked, senior) == "approved"
    assert rules.in_force().version == standing.version + 1
    with transaction():
        breaks.accept(fee.id, reason="small and old", by=treasurer)
    assert (fresh(fee).resolution, fresh(fee).limit_minor) == ("accepted", 500)


def test_a_fee_is_booked_by_two_people_and_matched(
    desk: Desk, fee: ReconBreak, treasurer: Actor, senior: Actor
) -> None:
    assert fee.line_id is not None
    with transaction():
        asked = booking.ask(
            desk.bank_id,
            lines=[fee.line_id],
            transactions=[],
            booked_as=BookedAs.FEE,
            reason="price list",
            by=treasurer,
        )
    assert decide(asked, senior) == "approved"
    one = fresh(fee)
    assert (one.state, one.resolution) == ("resolved", "booked")
    [match] = desk.matches()
    assert (match.found_by, match.amount_minor) == ("booked", -450)
    posted = (
        session()
        .scalars(sa.select(LedgerTransaction).where(LedgerTransaction.creditor_account_id == desk.settlement))
        .one()
    )
    assert (posted.amount_minor, posted.state) == (450, "posted")
    # as of the day of the statement it came later
    stands = queries.equation(desk.bank_id, match.first_on)
    assert (stands.timing_minor, stands.breaks_minor, stands.unexplained_minor) == (-450, 0, 0)
    # and as of the day on which it was booked both sides agree
    day = desk.close()
    desk.file(day=day)
    desk.run(day)
    stands = queries.equation(desk.bank_id, day)
    assert (stands.ledger_minor, stands.timing_minor, stands.statement_minor, stands.unexplained_minor) == (
        -450, 0, -450, 0,
    )  # fmt: skip


def test_what_is_left_between_two_rows_is_booked_and_all_are_matched(
    desk: Desk, treasurer: Actor, senior: Actor
) -> None:
    row = desk.ledger(1_250_00, "REF-1001")
    [line] = desk.file(Told(1_245_50, ref="REF-1001"))
    desk.run(desk.close())
    with pytest.raises(Refused, match="4.50") as refused, transaction():
        matches.match_by_hand(desk.bank_id, lines=[line], transactions=[row], by=treasurer)
    assert refused.value.code == "sumsDiffer"
    with transaction():
        asked = booking.ask(
            desk.bank_id, lines=[line], transactions=[row], booked_as=BookedAs.FEE, reason="fee kept", by=treasurer
        )
    assert decide(asked, senior) == "approved"
    [match] = desk.matches()
    assert (match.lines, match.transactions, match.amount_minor) == (1, 2, 1_245_50)
    assert desk.kinds() == []
    assert desk.open_items() == set()


def test_a_booking_goes_stale_when_a_row_is_matched_meanwhile(
    desk: Desk, fee: ReconBreak, treasurer: Actor, senior: Actor
) -> None:
    assert fee.line_id is not None
    with transaction():
        asked = booking.ask(
            desk.bank_id, lines=[fee.line_id], transactions=[], booked_as=BookedAs.FEE, reason="fee", by=treasurer
        )
    row = desk.ledger(-450)
    with transaction():
        matches.match_by_hand(desk.bank_id, lines=[fee.line_id], transactions=[row], by=treasurer)
    with pytest.raises(Conflict, match="settled by a match"), transaction():
        approvals.decide(asked.id, approve=True, reason="", by=senior)
    assert len(desk.matches()) == 1


def test_a_break_that_a_match_ended_is_reopened_in_its_place(desk: Desk, fee: ReconBreak, treasurer: Actor) -> None:
    row = desk.ledger(-450)
    assert fee.line_id is not None
    with transaction():
        match_id = matches.match_by_hand(desk.bank_id, lines=[fee.line_id], transactions=[row], by=treasurer)
    assert (fresh(fee).state, fresh(fee).match_id) == ("resolved", match_id)
    with pytest.raises(Invalid), transaction():
        breaks.reopen(fee.id, because=" ", by=treasurer)
    with transaction():
        breaks.reopen(fee.id, because="wrong row", by=treasurer)
    one = fresh(fee)
    assert (one.state, one.resolution, one.match_id, one.reopened) == ("open", None, None, 1)
    assert desk.matches() == []
    assert [match.undone_because for match in desk.matches("undone")] == ["wrong row"]
    assert history(fee)[-1] == "reopened"
    with pytest.raises(Conflict), transaction():
        matches.undo(match_id, because="again", by=treasurer)


def test_a_row_is_matched_once(desk: Desk, treasurer: Actor) -> None:
    first, second = desk.ledger(10), desk.ledger(10)
    [line] = desk.file(Told(10))
    desk.run(desk.close())
    with transaction():
        matches.match_by_hand(desk.bank_id, lines=[line], transactions=[first], by=treasurer)
    with pytest.raises(Conflict), transaction():
        matches.match_by_hand(desk.bank_id, lines=[line], transactions=[second], by=treasurer)
    assert len(desk.matches()) == 1


def test_rows_of_others_are_refused_by_name(desk: Desk, treasurer: Actor) -> None:
    from uuid import uuid4

    row = desk.ledger(10)
    with pytest.raises(Invalid) as wrong, transaction():
        matches.match_by_hand(desk.bank_id, lines=[uuid4()], transactions=[row], by=treasurer)
    assert wrong.value.errors[0].field == "lines"
    with pytest.raises(Invalid) as wrong, transaction():
        matches.match_by_hand(desk.bank_id, lines=[], transactions=[], by=treasurer)
    assert [error.field for error in wrong.value.errors] == ["lines", "transactions"]


def test_lists_and_figures_agree(desk: Desk, treasurer: Actor) -> None:
    desk.file(Told(-450, text="fee"), Told(900, text="who"), Told(-70_00, text="odd"))
    desk.run(desk.close())
    found = break_rows.listed(BreakFilter(bank_account_id=desk.bank_id))
    assert [view.row.difference_minor for view in found] == [-70_00, -450, 900]
    first, rest = found[0], found[1:]
    after = break_rows.listed(BreakFilter(bank_account_id=desk.bank_id), after=first.key)
    assert [view.id for view in after] == [view.id for view in rest]
    before = break_rows.listed(BreakFilter(bank_account_id=desk.bank_id), before=rest[-1].key)
    assert [view.id for view in before] == [view.id for view in found[:2]]
    many, sums = break_rows.count(BreakFilter(bank_account_id=desk.bank_id))
    assert (many, sums) == (3, {"eur": -70_00 - 450 + 900})
    cells = [cell for cell in queries.matrix() if cell.currency == "eur"]
    assert sum(cell.count for cell in cells) == 3
    with transaction():
        breaks.take(first.id, by=treasurer)
    mine = break_rows.listed(BreakFilter(bank_account_id=desk.bank_id, owner="me"), reader=treasurer.id)
    assert [view.id for view in mine] == [first.id]
    assert first.age_bd <= 1


def test_an_old_break_stands_in_the_column_of_its_age(desk: Desk) -> None:
    long_ago = clock.calendar().today() - timedelta(days=60)
    desk.file(Told(-450, text="fee", booked=long_ago))
    desk.run(desk.close())
    assert [(cell.bucket, cell.count) for cell in queries.matrix() if cell.currency == "eur"] == [("over10", 1)]


def test_rules_are_refused_field_by_field(treasurer: Actor) -> None:
    standing = rules.in_force()
    with pytest.raises(Invalid) as wrong, transaction():
        rules.ask(RuleSet(standing.version, (), 99, standing.due_days, {"xyz": 1}), reason="x", by=treasurer)
    assert {error.field for error in wrong.value.errors} == {"passes", "timingDays", "acceptAlone.xyz"}
    with pytest.raises(Invalid), transaction():
        rules.ask(standing, reason="nothing", by=treasurer)
