"""The verbs of clients: flags, blocks, activation, risk, and what follows from each."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission, Role
from dashboard.approvals import services as approvals
from dashboard.clients import queries, services
from dashboard.clients.calendar import calendar
from dashboard.clients.models import Client
from dashboard.clients.profile import CompanyProfile, Document, IndividualProfile, RelatedPerson
from dashboard.clients.vocabulary import BlockCode, FlagCode, Scope, Severity
from dashboard.database import new_id, session, transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.money import Money
from dashboard.queues.models import QueueItem
from tests.conftest import People

ADULT = IndividualProfile(
    first_name="Mari", last_name="Ilves", birth_date=date(1980, 5, 5), residence_country="EE", risk_level=1
)


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: People) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


def made(profile: IndividualProfile | CompanyProfile, by: Actor) -> Client:
    with transaction():
        return services.create(profile, by=by)


def activated(officer: Actor, senior: Actor, profile: IndividualProfile | CompanyProfile = ADULT) -> Client:
    client = made(profile, officer)
    with transaction():
        request = services.ask_to_activate(client.id, reason="papers seen", by=officer)
    with transaction():
        approvals.decide(request.id, approve=True, reason=None, by=senior)
    return client


def open_causes(client: Client, queue: str) -> set[str]:
    rows = session().scalars(
        sa.select(QueueItem.cause).where(
            QueueItem.client_id == client.id, QueueItem.queue == queue, QueueItem.closed_at.is_(None)
        )
    )
    return set(rows)


def codes(client: Client) -> dict[str, int]:
    return {flag.code: flag.severity for flag in queries.flags_of(client.id)}


# flags


def test_doubts_become_flags_by_severity_and_never_a_refusal(officer: Actor) -> None:
    today = calendar().today()
    client = made(
        IndividualProfile(
            first_name="A",
            last_name="B",
            birth_date=today - timedelta(days=365 * 10),
            residence_country="xx",
            phone_number="string",
            risk_level=4,
            document=Document(type="passport", number="1", expiration_date=today - timedelta(days=1)),
        ),
        officer,
    )
    assert codes(client) == {
        FlagCode.RISK_PROHIBITED: Severity.STOP,
        FlagCode.UNDER_AGE: Severity.STOP,
        FlagCode.DOCUMENT_EXPIRED: Severity.CHECK,
        FlagCode.UNKNOWN_COUNTRY: Severity.CHECK,
        FlagCode.PHONE: Severity.INFO,
    }
    assert client.open_flags == 4
    assert client.worst_flag == Severity.STOP


def test_someone_is_of_age_on_the_eighteenth_birthday(officer: Actor) -> None:
    today = calendar().today()
    birthday = calendar().today().replace(year=today.year - 18, day=min(today.day, 28))
    assert FlagCode.UNDER_AGE not in codes(made(replace(ADULT, birth_date=birthday), officer))
    tomorrow = today + timedelta(days=1)
    unborn_adult = tomorrow.replace(year=tomorrow.year - 18, day=min(tomorrow.day, 28))
    if unborn_adult.day == tomorrow.day:
        assert FlagCode.UNDER_AGE in codes(made(replace(ADULT, birth_date=unborn_adult), officer))


def test_an_info_flag_never_enters_a_queue(officer: Actor) -> None:
    client = made(replace(ADULT, phone_number="none"), officer)
    assert codes(client) == {FlagCode.PHONE: Severity.INFO}
    assert open_causes(client, "client-review") == set()
    assert open_causes(client, "activation") == {"ready"}


def test_a_flag_goes_when_the_profile_is_mended_and_the_client_leaves_the_review(officer: Actor) -> None:
    client = made(replace(ADULT, residence_country="XX"), officer)
    assert open_causes(client, "client-review") == {"flags"}
    with transaction():
        services.update(client.id, ADULT, by=officer)
    assert codes(client) == {}
    assert open_causes(client, "client-review") == set()
    assert open_causes(client, "activation") == {"ready"}


def test_a_settled_flag_stays_settled_for_the_same_fact_and_comes_back_for_another(officer: Actor) -> None:
    expired = calendar().today() - timedelta(days=30)
    profile = replace(ADULT, document=Document(type="passport", number="1", expiration_date=expired))
    client = made(profile, officer)
    with transaction():
        services.settle_flag(queries.flags_of(client.id)[0].id, reason="renewal seen", by=officer)
    with transaction():
        services.update(client.id, replace(profile, email="a@b.example"), by=officer)
    assert codes(client) == {}
    other = Document(type="passport", number="2", expiration_date=expired - timedelta(days=1))
    with transaction():
        services.update(client.id, replace(profile, document=other), by=officer)
    assert set(codes(client)) == {FlagCode.DOCUMENT_EXPIRED}


def test_a_flag_is_settled_once_and_with_a_reason(officer: Actor, senior: Actor) -> None:
    client = made(replace(ADULT, residence_country="XX"), officer)
    flag = queries.flags_of(client.id)[0]
    with pytest.raises(Invalid), transaction():
        services.settle_flag(flag.id, reason="  ", by=officer)
    with transaction():
        services.settle_flag(flag.id, reason="is a territory", by=officer)
    with pytest.raises(Conflict), transaction():
        services.settle_flag(flag.id, reason="me too", by=senior)


def test_the_flag_of_a_prohibited_risk_is_not_settled_by_one_person(officer: Actor) -> None:
    client = made(replace(ADULT, risk_level=4), officer)
    with pytest.raises(Refused), transaction():
        services.settle_flag(queries.flags_of(client.id)[0].id, reason="fine", by=officer)


def test_a_document_that_expires_while_nobody_looks_is_flagged_by_the_daily_check(officer: Actor) -> None:
    from dashboard.access.actor import system
    from dashboard.clients.models import Individual

    soon = calendar().today() + timedelta(days=3)
    client = made(replace(ADULT, document=Document(number="1", expiration_date=soon)), officer)
    assert codes(client) == {}
    with transaction():
        session().get_one(Individual, client.id).document_expiration_date = calendar().today() - timedelta(days=1)
    assert services.due_for_refresh(calendar().today()) == [client.id]
    with transaction():
        assert services.refresh(client.id, by=system("daily check"))
    assert set(codes(client)) == {FlagCode.DOCUMENT_EXPIRED}
    assert services.due_for_refresh(calendar().today()) == []


def test_a_renewed_document_that_expires_again_is_flagged_again(officer: Actor) -> None:
    from dashboard.access.actor import system
    from dashboard.clients.models import Individual

    today = calendar().today()
    client = made(replace(ADULT, document=Document(number="1", expiration_date=today - timedelta(days=9))), officer)
    renewed = replace(ADULT, document=Document(number="2", expiration_date=today + timedelta(days=9)))
    with transaction():
        services.update(client.id, renewed, by=officer)
    assert codes(client) == {}
    with transaction():
        session().get_one(Individual, client.id).document_expiration_date = today - timedelta(days=1)
    with transaction():
        assert services.refresh(services.due_for_refresh(today)[0], by=system("daily check"))
    assert set(codes(client)) == {FlagCode.DOCUMENT_EXPIRED}


def test_a_related_document_that_expires_is_flagged_by_the_daily_check(officer: Actor) -> None:
    from dashboard.access.actor import system
    from dashboard.clients.models import RelatedIndividual

    today = calendar().today()
    person = RelatedPerson(first_name="A", document=Document(number="1", expiration_date=today + timedelta(days=3)))
    client = made(CompanyProfile(legal_name="Ilves OÜ", related_individuals=[person]), officer)
    with transaction():
        row = session().scalars(sa.select(RelatedIndividual)).one()
        row.document = {**(row.document or {}), "expirationDate": (today - timedelta(days=1)).isoformat()}
    assert services.due_for_refresh(today) == [client.id]
    with transaction():
        services.refresh(client.id, by=system("daily check"))
    assert set(codes(client)) == {FlagCode.DOCUMENT_EXPIRED}
    assert services.due_for_refresh(today) == []


def test_who_comes_of_age_loses_the_flag_by_the_daily_check(officer: Actor) -> None:
    from dashboard.access.actor import system
    from dashboard.clients.models import Individual

    today = calendar().today()
    client = made(replace(ADULT, birth_date=today - timedelta(days=365 * 17)), officer)
    with transaction():
        session().get_one(Individual, client.id).birth_date = today - timedelta(days=366 * 18)
    with transaction():
        services.refresh(services.due_for_refresh(today)[0], by=system("daily check"))
    assert codes(client) == {}
    assert open_causes(client, "activation") == {"ready"}


def test_the_document_of_another_client_is_noticed(officer: Actor) -> None:
    document = Document(type="passport", number="K 123-456", issued_country_code="EE")
    made(replace(ADULT, document=document), officer)
    second = made(replace(ADULT, first_name="Other", document=replace(document, number="k123456")), officer)
    assert FlagCode.DUPLICATE_DOCUMENT in codes(second)


# blocks


def test_a_block_works_at_once_in_any_state_and_lifting_it_restores_the_state_before(
    officer: Actor, senior: Actor
) -> None:
    client = activated(officer, senior)
    with transaction():
        stored = services.block(client.id, code=BlockCode.FRAUD, by=officer)
    assert (client.status, client.status_before_block) == ("blocked", "active")
    with transaction():
        request = services.ask_to_unblock(stored.id, reason="proved", by=officer)
    with transaction():
        approvals.decide(request.id, approve=True, reason=None, by=senior)
    assert (client.status, client.status_before_block) == ("active", None)


def test_blocks_stand_side_by_side_and_each_is_lifted_on_its_own(officer: Actor, senior: Actor) -> None:
    client = made(ADULT, officer)
    with transaction():
        first = services.block(client.id, scope=Scope.DEBIT, code=BlockCode.FRAUD, by=officer)
        second = services.block(client.id, scope=Scope.CREDIT, code=BlockCode.DORMANT, by=officer)
    with transaction():
        requests = [services.ask_to_unblock(b.id, reason="ok", by=officer) for b in (first, second)]
    assert queries.freezes([client])[client.id] == "all"
    with transaction():
        assert approvals.decide(requests[0].id, approve=True, reason=None, by=senior).state == "approved"
    assert client.status == "blocked"
    assert queries.freezes([client])[client.id] == "credit"
    with transaction():
        assert approvals.decide(requests[1].id, approve=True, reason=None, by=senior).state == "approved"
    assert client.status == "inactive"


def test_the_same_block_by_a_colleague_is_told_and_not_placed_twice(officer: Actor, senior: Actor) -> None:
    client = made(ADULT, officer)
    with transaction():
        services.block(client.id, code=BlockCode.FRAUD, by=officer)
    for by in (officer, senior):
        with pytest.raises(Conflict) as caught, transaction():
            services.block(client.id, code=BlockCode.FRAUD, by=by)
        assert caught.value.code == "alreadyBlocked"
    assert len(queries.blocks_of(client.id, actor=officer)) == 1


def test_a_new_block_makes_a_waiting_request_stale(officer: Actor, senior: Actor) -> None:
    client = made(ADULT, officer)
    with transaction():
        stored = services.block(client.id, code=BlockCode.FRAUD, by=officer)
        request = services.ask_to_unblock(stored.id, reason="ok", by=officer)
    with transaction():
        services.block(client.id, code=BlockCode.SANCTIONS, by=senior)
    with transaction():
        assert approvals.decide(request.id, approve=True, reason=None, by=senior).state == "stale"
    assert client.status == "blocked"


def test_a_changed_profile_makes_a_waiting_request_stale(officer: Actor, senior: Actor) -> None:
    client = made(ADULT, officer)
    with transaction():
        stored = services.block(client.id, code=BlockCode.FRAUD, by=officer)
        request = services.ask_to_unblock(stored.id, reason="ok", by=officer)
    with transaction():
        services.update(client.id, replace(ADULT, last_name="Kask"), by=senior)
    with transaction():
        assert approvals.decide(request.id, approve=True, reason=None, by=senior).state == "stale"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"scope": Scope.AMOUNT}, "amount"),
        ({"scope": Scope.ALL, "amount": Money(1, "eur")}, "amount"),
        ({"scope": Scope.AMOUNT, "amount": Money(0, "eur")}, "amount"),
        ({"review_date": date(2020, 1, 1)}, "reviewDate"),
        ({"review_date": date(2999, 1, 1)}, "reviewDate"),
        ({"comment": "x" * 2001}, "comment"),
        ({"legal_reference": "x" * 2001}, "legalReference"),
    ],
)
def test_a_wrong_block_names_its_field_and_blocks_nothing(
    officer: Actor, options: dict[str, object], field: str
) -> None:
    client = made(ADULT, officer)
    with pytest.raises(Invalid) as caught, transaction():
        services.block(client.id, code=BlockCode.FRAUD, by=officer, **options)  # type: ignore[arg-type]
    assert caught.value.errors[0].field == field
    session().refresh(client)
    assert client.status == "inactive"


def test_a_review_date_on_a_weekend_is_refused_by_name(officer: Actor) -> None:
    client = made(ADULT, officer)
    saturday = calendar().today() + timedelta(days=(5 - calendar().today().weekday()) % 7 or 7)
    with pytest.raises(Invalid, match="correction") as caught, transaction():
        services.block(client.id, review_date=saturday, by=officer)
    assert "no business day" in caught.value.errors[0].message


def test_a_block_without_a_reason_opens_a_task_to_state_it(officer: Actor) -> None:
    client = made(ADULT, officer)
    with transaction():
        stored = services.block(client.id, by=officer)
    assert open_causes(client, "block-review") == {"review", "state-reason"}
    with transaction():
        services.complete_code(stored.id, code=BlockCode.STR_HOLD, comment="c", legal_reference=None, by=officer)
    assert open_causes(client, "block-review") == {"review", "str-hold"}
    with pytest.raises(Refused), transaction():
        services.complete_code(stored.id, code=BlockCode.FRAUD, comment=None, legal_reference=None, by=officer)


def test_an_str_hold_opens_a_task_after_three_working_days_and_is_not_released_by_time(officer: Actor) -> None:
    client = made(ADULT, officer)
    with transaction():
        stored = services.block(client.id, code=BlockCode.STR_HOLD, by=officer)
    item = session().scalars(sa.select(QueueItem).where(QueueItem.cause == "str-hold")).one()
    assert item.due_at == calendar().due_after(stored.started_at, 3)
    assert item.restricted


def test_a_token_lifts_its_own_blocks_and_leaves_the_others(officer: Actor) -> None:
    client = made(ADULT, officer)
    token = Actor(
        kind="token", id=new_id(), name="core", role="system", permissions=frozenset({Permission.CLIENTS_UNBLOCK})
    )
    with transaction():
        services.block(client.id, code=BlockCode.FRAUD, by=token)
        services.block(client.id, code=BlockCode.DORMANT, by=officer)
    with transaction():
        services.lift_own(client.id, by=token)
    assert client.status == "blocked"
    assert [b.code for b in queries.blocks_of(client.id, actor=officer)] == [BlockCode.DORMANT]


def test_a_token_cannot_lift_its_own_block_where_people_must_decide(officer: Actor) -> None:
    client = made(ADULT, officer)
    token = Actor(
        kind="token", id=new_id(), name="core", role="system", permissions=frozenset({Permission.CLIENTS_UNBLOCK})
    )
    with transaction():
        services.block(client.id, code=BlockCode.SANCTIONS, by=token)
        services.block(client.id, code=BlockCode.FRAUD, by=token)
    with pytest.raises(Refused) as caught, transaction():
        services.lift_own(client.id, by=token)
    assert caught.value.code == "humanDecisionRequired"
    assert len(queries.blocks_of(client.id, actor=officer)) == 2


# risk and activation


def test_a_prohibited_risk_blocks_an_active_client_at_once(officer: Actor, senior: Actor) -> None:
    client = activated(officer, senior)
    with transaction():
        services.update(client.id, replace(ADULT, risk_level=4), by=officer)
    assert client.status == "blocked"
    [block] = queries.blocks_of(client.id, actor=officer)
    assert (block.scope, block.code) == ("debit", BlockCode.RISK_PROHIBITED)


@pytest.mark.parametrize("scope", [Scope.CREDIT, Scope.AMOUNT, Scope.ALL])
def test_a_prohibited_risk_stops_debits_of_an_active_client_that_is_blocked_already(
    officer: Actor, senior: Actor, scope: Scope
) -> None:
    client = activated(officer, senior)
    amount = Money(100, "eur") if scope is Scope.AMOUNT else None
    with transaction():
        services.block(client.id, scope=scope, amount=amount, code=BlockCode.FRAUD, by=officer)
        services.update(client.id, replace(ADULT, risk_level=4), by=officer)
    assert BlockCode.RISK_PROHIBITED in {b.code for b in queries.blocks_of(client.id, actor=officer)}


def test_the_block_of_a_prohibited_risk_is_lifted_by_nobody_while_the_risk_stands(
    officer: Actor, senior: Actor
) -> None:
    client = activated(officer, senior)
    token = Actor(
        kind="token", id=new_id(), name="core", role="system", permissions=frozenset({Permission.CLIENTS_UNBLOCK})
    )
    with transaction():
        services.update(client.id, replace(ADULT, risk_level=4), by=token)
        services.block(client.id, scope=Scope.CREDIT, code=BlockCode.FRAUD, by=officer)
    with transaction():
        services.lift_own(client.id, by=token)
    placed = next(b for b in queries.blocks_of(client.id, actor=officer) if b.code == BlockCode.RISK_PROHIBITED)
    with transaction():
        request = services.ask_to_unblock(placed.id, reason="ok", by=officer)
    with pytest.raises(Refused) as caught, transaction():
        approvals.decide(request.id, approve=True, reason=None, by=senior)
    assert caught.value.code == "riskProhibited"


def test_a_token_does_not_lift_a_block_whose_reason_a_person_has_stated(officer: Actor) -> None:
    client = made(ADULT, officer)
    token = Actor(
        kind="token", id=new_id(), name="core", role="system", permissions=frozenset({Permission.CLIENTS_UNBLOCK})
    )
    for code in (BlockCode.FRAUD, BlockCode.STR_HOLD):
        with transaction():
            stored = services.block(client.id, by=token)
            services.complete_code(stored.id, code=code, comment=None, legal_reference=None, by=officer)
        with transaction():
            assert services.lift_own(client.id, by=token).status == "blocked"


def test_a_heavier_doubt_brings_the_review_forward(officer: Actor) -> None:
    client = made(replace(ADULT, residence_country="XX"), officer)
    [before] = session().scalars(sa.select(QueueItem.due_at).where(QueueItem.queue == "client-review"))
    with transaction():
        services.update(client.id, replace(ADULT, residence_country="XX", birth_date=calendar().today()), by=officer)
    session().expire_all()
    [after] = session().scalars(sa.select(QueueItem.due_at).where(QueueItem.queue == "client-review"))
    assert after < before


def test_every_change_of_a_related_individual_is_in_the_evidence(officer: Actor) -> None:
    from dashboard.audit.queries import timeline

    def company(**changed: object) -> CompanyProfile:
        person = RelatedPerson(first_name="Mari", last_name="Ilves", **changed)  # type: ignore[arg-type]
        return CompanyProfile(legal_name="Ilves OÜ", related_individuals=[person])

    client = made(company(), officer)
    changes: list[dict[str, object]] = [
        {"is_ubo": True},
        {"is_director": True},
        {"birth_date": date(1980, 5, 5)},
        {"citizenship_country": "EE"},
        {"document": Document(number="1")},
        {"applicant_id": "a1"},
    ]
    for change in changes:
        with transaction():
            services.update(client.id, company(**change), by=officer)
        entry = next(e for e in timeline(client.id, sees_restricted=True) if e.action == "client.changed")
        assert entry.before["related_individuals"] != entry.after["related_individuals"], change


def test_lifting_a_block_does_not_make_a_prohibited_client_active(officer: Actor, senior: Actor) -> None:
    client = activated(officer, senior)
    with transaction():
        services.update(client.id, replace(ADULT, risk_level=4), by=officer)
    [block] = queries.blocks_of(client.id, actor=officer)
    with transaction():
        request = services.ask_to_unblock(block.id, reason="ok", by=officer)
    with pytest.raises(Refused) as caught, transaction():
        approvals.decide(request.id, approve=True, reason=None, by=senior)
    assert caught.value.code == "riskProhibited"
    session().refresh(client)
    session().refresh(request)
    assert (client.status, request.state) == ("blocked", "requested")


def test_no_update_lowers_a_risk(officer: Actor) -> None:
    client = made(replace(ADULT, risk_level=3), officer)
    for lower in (2, 1, 0):
        with pytest.raises(services.LowersRisk), transaction():
            services.update(client.id, replace(ADULT, risk_level=lower, last_name="Changed"), by=officer)
    session().refresh(client)
    assert (client.risk_level, client.name) == (3, "Mari Ilves")


def test_two_people_lower_a_risk(officer: Actor, senior: Actor) -> None:
    client = made(replace(ADULT, risk_level=3), officer)
    with transaction():
        request = services.ask_to_lower_risk(client.id, risk_level=1, reason="reviewed", by=officer)
    with transaction():
        approvals.decide(request.id, approve=True, reason=None, by=senior)
    assert client.risk_level == 1


@pytest.mark.parametrize("obstacle", ["block", "prohibited", "stop flag", "active"])
def test_nothing_activates_while_an_obstacle_stands(officer: Actor, senior: Actor, obstacle: str) -> None:
    client = made(ADULT, officer)
    with transaction():
        request = services.ask_to_activate(client.id, reason="ok", by=officer)
    if obstacle == "active":
        client = activated(officer, senior)
        with pytest.raises(Refused), transaction():
            services.ask_to_activate(client.id, reason="ok", by=officer)
        return
    with transaction():
        if obstacle == "block":
            services.block(client.id, code=BlockCode.FRAUD, by=senior)
        elif obstacle == "prohibited":
            services.update(client.id, replace(ADULT, risk_level=4), by=senior)
        else:
            services.update(client.id, replace(ADULT, birth_date=calendar().today()), by=senior)
    # the one who asked before is stale, and it cannot be asked again
    with transaction():
        assert approvals.decide(request.id, approve=True, reason=None, by=senior).state == "stale"
    with pytest.raises(Refused), transaction():
        services.ask_to_activate(client.id, reason="ok", by=officer)
    session().refresh(client)
    assert client.status != "active"


# companies


def test_ownership_over_100_is_a_flag_and_each_pep_too(officer: Actor) -> None:
    from decimal import Decimal

    people = [
        RelatedPerson(first_name="A", last_name="B", ownership=Decimal(60), is_pep=True),
        RelatedPerson(first_name="C", last_name="D", ownership=Decimal("40.5")),
    ]
    client = made(CompanyProfile(legal_name="Ilves OÜ", related_individuals=people), officer)
    assert codes(client) == {FlagCode.OWNERSHIP_OVER_100: Severity.CHECK, FlagCode.PEP: Severity.CHECK}


def test_clients_that_share_a_person_a_phone_or_an_e_mail_are_linked(officer: Actor) -> None:
    person = made(replace(ADULT, phone_number="+372 512 3456"), officer)
    company = made(
        CompanyProfile(
            legal_name="Ilves OÜ",
            phone_number="3725123456",
            related_individuals=[
                RelatedPerson(first_name="MARI", last_name="Ilves", birth_date=date(1980, 5, 5), email="m@x.example")
            ],
        ),
        officer,
    )
    stranger = made(replace(ADULT, first_name="Jonas", birth_date=date(1990, 1, 1)), officer)
    [link] = queries.linked_to(person.id)
    assert link.client.id == company.id
    assert link.kinds == ("person", "phone")
    assert queries.linked_to(stranger.id) == []
    assert queries.linked_count(company.id) == 1


def test_an_edit_on_a_version_that_is_gone_changes_nothing(officer: Actor, senior: Actor) -> None:
    client = made(ADULT, officer)
    seen = client.version
    with transaction():
        services.update(client.id, replace(ADULT, last_name="Kask"), by=senior, expected_version=seen)
    with pytest.raises(Conflict), transaction():
        services.update(client.id, replace(ADULT, last_name="Saar"), by=officer, expected_version=seen)
    session().refresh(client)
    assert client.name == "Mari Kask"


def test_saving_without_a_change_writes_no_event(officer: Actor, app: Flask) -> None:
    client = made(ADULT, officer)
    version = client.version
    with transaction():
        services.update(client.id, ADULT, by=officer)
    assert client.version == version
