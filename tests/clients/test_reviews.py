"""When a client is reviewed next, and what completing a review does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import queries, services
from dashboard.clients.models import Client, ClientReview
from dashboard.clients.profile import CompanyProfile, Document, IndividualProfile, RelatedPerson
from dashboard.clients.services import plan
from dashboard.clients.services.overdue import replan
from dashboard.clients.services.review import latest_day
from dashboard.clients.vocabulary import BlockCode, MarkKind
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, Refused
from tests.clients.making import activated, company, person
from tests.clients.reviewing import active, in_months, items, plan_of, today


@pytest.fixture
def officer(people: Any) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: Any) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


def review(client: Client, by: Actor, **options: Any) -> ClientReview:
    said: dict[str, Any] = {
        "risk_level": client.risk_level, "outcome": "continue", "reasons": "All as before",
        "last_review_id": plan_of(client).last_review_id,
    }  # fmt: skip
    with transaction():
        return services.complete_review(client.id, by=by, **said | options)


def refused_day(client: Client, by: Actor, **options: Any) -> str:
    with pytest.raises(Invalid) as refused:
        review(client, by, **options)
    (error,) = refused.value.errors
    assert error.field == "nextOn"
    return error.message


@pytest.mark.parametrize(("risk", "months"), [(0, 12), (1, 60), (2, 24), (3, 12)])
def test_the_next_review_follows_from_the_risk_and_one_that_is_not_set_counts_as_high(
    officer: Actor, senior: Actor, risk: int, months: int
) -> None:
    client = active(officer, senior, risk_level=risk, document=None)
    assert plan_of(client).next_on == in_months(months)


def test_a_document_that_runs_out_earlier_is_what_the_date_follows_from(officer: Actor, senior: Actor) -> None:
    soon = today() + timedelta(days=100)
    client = active(officer, senior, document=Document(type="passport", number="K1", expiration_date=soon))
    assert plan_of(client).next_on == soon
    people = (RelatedPerson(first_name="Mari", last_name="Ilves", document=Document(number="X", expiration_date=soon)),)
    other = company(officer, related_individuals=people)
    assert plan_of(other).expires_on == soon


def test_a_document_that_had_run_out_before_the_period_began_is_no_reason(officer: Actor) -> None:
    client = person(officer, document=Document(type="passport", number="K1", expiration_date=date(2020, 1, 1)))
    assert plan_of(client).expires_on is None


def test_a_new_document_of_the_profile_moves_the_date(officer: Actor, senior: Actor) -> None:
    soon = today() + timedelta(days=10)
    client = active(officer, senior, document=Document(type="passport", number="K1", expiration_date=soon))
    assert len(items(client)) == 1
    profile = IndividualProfile(
        first_name="Mari", last_name="Ilves", document=Document(number="K2", expiration_date=soon + timedelta(days=90))
    )
    with transaction():
        services.update(client.id, profile, by=officer)
    assert plan_of(client).next_on == soon + timedelta(days=90)
    assert items(client) == []


def test_documents_of_a_higher_domain_count_when_they_are_learnt(
    officer: Actor, senior: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = active(officer, senior)
    soon = today() + timedelta(days=60)
    monkeypatch.setitem(plan._sources, "papers", lambda client_id, after: soon)
    with transaction():
        services.reconsider(client.id)
    assert plan_of(client).next_on == soon


def test_somebody_politically_exposed_is_reviewed_every_year(officer: Actor, senior: Actor) -> None:
    exposed = company(officer, risk_level=1)
    assert plan_of(exposed).period_months == 12
    client = active(officer, senior, risk_level=1, document=None)
    with transaction():
        mark = services.open_mark(client.id, kind=MarkKind.PEP, list_name="House list", said_by="Screening", by=officer)
    assert plan_of(client).next_on == in_months(12)
    with transaction():
        services.end_mark(mark.id, reason="Left the office long ago", by=officer)
    assert plan_of(client).next_on == in_months(60)


def test_the_period_begins_with_the_activation_and_nothing_is_asked_before(officer: Actor, senior: Actor) -> None:
    client = person(officer, risk_level=3)
    assert not plan_of(client).running
    activated(client, officer, senior)
    plan = plan_of(client)
    assert plan.running and plan.period_from == today()


def test_a_prohibited_risk_is_reviewed_at_once(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior)
    with transaction():
        services.update(client.id, IndividualProfile(first_name="Mari", last_name="Ilves", risk_level=4), by=officer)
    assert plan_of(client).next_on == today()
    assert [item.cause for item in items(client)] == ["periodic"]
    done = review(client, officer, risk_level=4)
    assert done.next_on == in_months(12) and plan_of(client).next_on == in_months(12)
    assert items(client) == []


def test_a_review_moves_the_date_by_the_period_from_today(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior, risk_level=2)
    done = review(client, officer)
    assert (done.next_on, done.period_months) == (in_months(24), 24)
    assert (done.risk_before, done.risk_assessed, done.risk_after) == (2, 2, 2)
    assert plan_of(client).last_review_id == done.id


def test_a_higher_risk_stands_at_once_and_shortens_the_period(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior, risk_level=2)
    done = review(client, officer, risk_level=3)
    session().refresh(client)
    assert client.risk_level == 3
    assert (done.risk_before, done.risk_after, done.next_on) == (2, 3, in_months(12))
    history = session().execute(
        sa.text("SELECT risk_before, risk_after, cause, by_name, reason FROM client_risk_change"
                " WHERE client_id = :id ORDER BY id"), {"id": client.id},
    ).all()  # fmt: skip
    assert list(map(tuple, history)) == [
        (None, 2, "created", "Officer", None), (2, 3, "review", "Officer", "All as before"),
    ]  # fmt: skip


def test_a_review_that_finds_the_risk_prohibited_stops_the_debits(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior)
    review(client, officer, risk_level=4)
    session().refresh(client)
    assert client.status == "blocked"
    assert [block.code for block in queries.blocks_of(client.id, actor=officer)] == [BlockCode.RISK_PROHIBITED]


def test_a_lower_risk_is_asked_for_and_the_review_is_completed_with_the_one_that_stands(
    officer: Actor, senior: Actor
) -> None:
    client = active(officer, senior, risk_level=3, document=None)
    done = review(client, officer, risk_level=1, reasons="Three quiet years")
    session().refresh(client)
    assert client.risk_level == 3
    assert (done.risk_assessed, done.risk_after, done.next_on) == (1, 3, in_months(12))
    request = session().get_one(ApprovalRequest, done.lowering_request_id)
    assert (request.kind, request.state, request.reason) == ("client.lower-risk", "requested", "Three quiet years")
    with transaction():
        approvals.decide(request.id, approve=True, reason=None, by=senior)
    assert plan_of(client).next_on == in_months(60), "from the review, with the risk that stands now"


def test_a_lower_risk_that_is_refused_leaves_the_date_of_the_higher_one(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior, risk_level=3)
    done = review(client, officer, risk_level=2)
    with transaction():
        approvals.decide(done.lowering_request_id, approve=False, reason="Not yet", by=senior)
    assert plan_of(client).next_on == in_months(12)


def test_a_second_request_for_a_lower_risk_is_refused_and_nothing_of_the_review_is_kept(
    officer: Actor, senior: Actor
) -> None:
    client = active(officer, senior, risk_level=3)
    with transaction():
        services.ask_to_lower_risk(client.id, risk_level=1, reason="why", by=senior)
    with pytest.raises(Conflict, match="asked for already"):
        review(client, officer, risk_level=2)
    assert plan_of(client).last_review_id is None


def test_the_next_date_may_be_earlier_and_never_later(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior, risk_level=2)
    assert "within 2 years" in refused_day(client, officer, next_on=in_months(24) + timedelta(days=1))
    assert "in the future" in refused_day(client, officer, next_on=today())
    chosen = today() + timedelta(days=200)
    review(client, officer, next_on=chosen)
    assert plan_of(client).next_on == chosen
    with transaction():
        services.reconsider(client.id)
    assert plan_of(client).next_on == chosen, "what the reviewer chose stays chosen"


def test_a_chosen_date_is_measured_by_the_risk_that_the_review_itself_raised(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior, risk_level=2)
    assert "within 1 year" in refused_day(client, officer, risk_level=3, next_on=in_months(13))
    session().refresh(client)
    assert client.risk_level == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reasons": "  "}, "reasons"), ({"reasons": "x" * 4001}, "reasons"), ({"outcome": "perhaps"}, "outcome"),
        ({"risk_level": 0}, "riskLevel"), ({"risk_level": 5}, "riskLevel"), ({"risk_level": -1}, "riskLevel"),
    ],
)  # fmt: skip
def test_what_a_review_lacks_is_named(officer: Actor, senior: Actor, change: dict[str, Any], field: str) -> None:
    client = active(officer, senior)
    with pytest.raises(Invalid) as refused:
        review(client, officer, **change)
    assert [error.field for error in refused.value.errors] == [field]


def test_of_two_officers_the_second_is_told_who_was_first(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior)
    review(client, senior)
    with pytest.raises(Conflict, match="reviewed meanwhile by Senior Officer") as refused:
        review(client, officer, last_review_id=None)
    assert refused.value.code == "reviewedMeanwhile"


def test_what_changed_since_the_form_was_opened_is_told(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior)
    with pytest.raises(Conflict) as refused:
        review(client, officer, version=client.version - 1)
    assert refused.value.code == "changedMeanwhile"


def test_a_blocked_client_is_reviewed_and_stays_blocked(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior)
    with transaction():
        services.block(client.id, code=BlockCode.FRAUD, by=officer)
    review(client, officer)
    session().refresh(client)
    assert client.status == "blocked"


def test_a_closed_client_needs_no_review(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior, document=Document(number="K1", expiration_date=today() + timedelta(days=3)))
    assert len(items(client)) == 1
    session().execute(sa.text("UPDATE client SET status = 'closed' WHERE id = :id"), {"id": client.id})
    with transaction():
        services.reconsider(client.id)
    assert plan_of(client).next_on is None
    assert items(client) == []
    with pytest.raises(Refused, match="closed client"):
        review(client, officer)


def test_only_who_reviews_clients_completes_a_review(people: Any, officer: Actor, senior: Actor) -> None:
    client = active(officer, senior)
    for role in (Role.AUDITOR, Role.TREASURER, Role.ADMIN):
        with pytest.raises(Forbidden):
            review(client, people.actor(role))


def test_other_periods_in_the_settings_move_what_was_planned(
    officer: Actor, senior: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.clients import periods

    client = active(officer, senior, risk_level=1, document=None)
    monkeypatch.setattr(periods, "_installed", [replace(periods.periods(), low=36)])
    with transaction():
        assert replan() == 1
    assert plan_of(client).next_on == in_months(36)
    with transaction():
        assert replan() == 0


@pytest.mark.parametrize(
    ("day", "months", "latest"),
    [
        (date(2024, 2, 29), 12, date(2025, 2, 28)), (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)), (date(2026, 12, 15), 24, date(2028, 12, 15)),
        (date(2023, 12, 31), 2, date(2024, 2, 29)),
    ],
)  # fmt: skip
def test_months_are_counted_as_the_database_counts_them(app: Any, day: date, months: int, latest: date) -> None:
    counted = session().scalar(
        sa.text("SELECT (CAST(:day AS date) + make_interval(months => :months))::date"), {"day": day, "months": months}
    )
    assert latest_day(day, months) == latest == counted


def test_profiles_of_companies_keep_the_date_when_nothing_about_it_changes(officer: Actor, senior: Actor) -> None:
    client = company(officer, related_individuals=(), risk_level=1)
    activated(client, officer, senior)
    before = plan_of(client).next_on
    with transaction():
        services.update(client.id, CompanyProfile(legal_name="Other OÜ"), by=officer)
    assert plan_of(client).next_on == before
