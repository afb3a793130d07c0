"""Treasury days: prepared by one, signed by another, reopened when something comes late."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, Refused
from dashboard.ledger.services import days as business_days
from dashboard.staff import services as staff
from dashboard.treasury.days import queries, readiness, services
from dashboard.treasury.positions.services.working_out import freeze
from tests.conftest import PASSWORD, People
from tests.treasury.approving import registered

EUR = ("eMoney", "eur")


@pytest.fixture(autouse=True)
def nothing_learned() -> Iterator[None]:
    """What other packages say of a day is left out, and put back afterwards."""
    blockers, preparations = dict(readiness._blockers), list(readiness._preparations)
    readiness._blockers.clear()
    readiness._preparations[:] = [freeze]
    yield
    readiness._blockers.clear()
    readiness._blockers.update(blockers)
    readiness._preparations[:] = preparations


@pytest.fixture
def day(app: Flask) -> date:
    """A business day that has ended."""
    opened = business_days.open_day().day
    return business_days.end(opened, by=system()).day


@pytest.fixture
def maker(people: People) -> Actor:
    return people.actor(Role.TREASURER)


@pytest.fixture
def signer(people: People) -> Actor:
    return people.actor(Role.SENIOR_TREASURER)


def refused_by(name: str, statement: str, **values: Any) -> None:
    with pytest.raises(sa.exc.IntegrityError) as caught, session().begin_nested():
        session().execute(sa.text(statement), values)
    assert name in str(caught.value.orig.diag.constraint_name)  # type: ignore[union-attr]


def test_a_day_goes_from_open_to_prepared_to_signed(app: Flask, day: date, maker: Actor, signer: Actor) -> None:
    registered()
    with transaction():
        assert services.ensure(*EUR, day).state == "open"
        assert services.ensure(*EUR, day).version == 1
        services.prepare(*EUR, day, by=maker)
        services.sign(*EUR, day, by=signer)
    signed = queries.current(*EUR, day)
    assert signed is not None
    assert (signed.state, signed.prepared_by, signed.signed_by) == ("signed", maker.name, signer.name)
    assert [each.id for each in queries.of_day(day)] == [signed.id]


def test_an_open_business_day_is_not_prepared(app: Flask, maker: Actor) -> None:
    registered()
    with pytest.raises(Refused) as caught:
        services.prepare(*EUR, business_days.open_day().day, by=maker)
    assert caught.value.code == "notReady"
    assert "still open" in caught.value.message


def test_without_a_registered_bank_account_there_is_nothing_to_prepare(app: Flask, day: date, maker: Actor) -> None:
    with pytest.raises(Refused) as caught:
        services.prepare(*EUR, day, by=maker)
    assert caught.value.code == "notReady"
    assert caught.value.details["blockers"] == [
        "Bank accounts registered: No bank account in EUR is registered for this pool."
    ]


@pytest.mark.parametrize(("pool", "currency"), [("cash", "eur"), ("eMoney", "xxx")])
def test_unknown_words_are_refused(app: Flask, day: date, maker: Actor, pool: str, currency: str) -> None:
    with pytest.raises(Invalid):
        services.prepare(pool, currency, day, by=maker)


def test_a_day_that_never_was_is_refused(app: Flask, maker: Actor) -> None:
    with pytest.raises(Refused) as caught:
        services.prepare(*EUR, date(2001, 1, 1), by=maker)
    assert caught.value.code == "unknownDay"


def test_preparing_twice_is_refused_and_names_who_was_first(app: Flask, day: date, maker: Actor, signer: Actor) -> None:
    registered()
    services.prepare(*EUR, day, by=maker)
    with pytest.raises(Conflict) as caught:
        services.prepare(*EUR, day, by=signer)
    assert caught.value.code == "alreadyPrepared"
    assert maker.name in caught.value.message


def test_the_preparer_does_not_sign(app: Flask, day: date, maker: Actor) -> None:
    registered()
    services.prepare(*EUR, day, by=maker)
    with pytest.raises(Forbidden) as caught:
        services.sign(*EUR, day, by=maker)
    assert caught.value.code == "ownPreparation"


def test_nobody_signs_what_is_not_prepared(app: Flask, day: date, signer: Actor) -> None:
    registered()
    with pytest.raises(Conflict) as caught:
        services.sign(*EUR, day, by=signer)
    assert caught.value.code == "notPrepared"


def test_machines_and_readers_neither_prepare_nor_sign(app: Flask, day: date, people: People) -> None:
    registered()
    with pytest.raises(Refused):
        services.prepare(*EUR, day, by=system())
    for verb in (services.prepare, services.sign):
        with pytest.raises(Forbidden):
            verb(*EUR, day, by=people.actor(Role.AUDITOR))


def test_everything_that_stands_against_signing_is_listed(app: Flask, day: date, maker: Actor, signer: Actor) -> None:
    registered()
    services.learn_blockers("Breaks", lambda pool, currency, at: [f"2 breaks without owner in {currency}"])
    services.learn_blockers("Statements", lambda pool, currency, at: ["one is late", "one does not tie out"])
    services.learn_blockers("Matching", lambda pool, currency, at: [])
    services.prepare(*EUR, day, by=maker)
    with pytest.raises(Refused) as caught:
        services.sign(*EUR, day, by=signer)
    assert caught.value.code == "notReady"
    assert caught.value.details["blockers"] == [
        "Breaks: 2 breaks without owner in eur", "Statements: one is late", "Statements: one does not tie out",
    ]  # fmt: skip
    version = queries.current(*EUR, day)
    assert version is not None
    assert version.state == "prepared"


def test_what_is_computed_when_a_day_is_prepared_fails_with_it(app: Flask, day: date, maker: Actor) -> None:
    registered()
    seen = []

    def compute(version: Any, by: Actor) -> None:
        seen.append((version.version, by.name))
        if len(seen) == 1:
            raise Refused("No rate.", code="noRate")

    services.learn_preparation(compute)
    services.learn_preparation(compute)
    with pytest.raises(Refused), transaction():
        services.prepare(*EUR, day, by=maker)
    assert queries.current(*EUR, day) is None
    with transaction():
        services.prepare(*EUR, day, by=maker)
    assert seen == [(1, maker.name)] * 2


def test_a_reopened_day_keeps_what_was_signed_and_counts_up(app: Flask, day: date, maker: Actor, signer: Actor) -> None:
    registered()
    services.prepare(*EUR, day, by=maker)
    services.sign(*EUR, day, by=signer)
    with pytest.raises(Invalid):
        services.reopen(*EUR, day, because="  ", by=maker)
    fresh = services.reopen(*EUR, day, because="a fee was missed", by=maker)
    assert (fresh.version, fresh.state) == (2, "open")
    [second, first] = queries.versions(*EUR, day)
    assert (first.state, first.signed_by, first.reopened_because) == ("reopened", signer.name, "a fee was missed")
    # who signed the first version may prepare the second, and the other signs
    services.prepare(*EUR, day, by=signer)
    services.sign(*EUR, day, by=maker)
    with pytest.raises(Conflict):
        services.prepare(*EUR, day, by=signer)
    assert second.id == fresh.id


def test_an_open_day_is_not_reopened(app: Flask, day: date, maker: Actor) -> None:
    registered()
    with pytest.raises(Conflict) as caught:
        services.reopen(*EUR, day, because="x", by=maker)
    assert caught.value.code == "notPrepared"


def test_a_late_line_reopens_its_own_pool_and_currency_only(app: Flask, day: date, maker: Actor, signer: Actor) -> None:
    view, other, own = registered(), registered(pool="paymentServices"), registered("ownFunds")
    for pool in ("eMoney", "paymentServices"):
        services.prepare(pool, "eur", day, by=maker)
    services.sign(*EUR, day, by=signer)
    assert services.line_came_late(own.id, day, because="1 line arrived", by=system("import")) is None
    fresh = services.line_came_late(view.id, day, because="1 line arrived", by=system("import"))
    assert fresh is not None
    assert fresh.version == 2
    assert services.line_came_late(view.id, day, because="1 line arrived", by=system("import")) is None
    untouched = queries.current("paymentServices", "eur", day)
    assert untouched is not None
    assert (untouched.state, untouched.version) == ("prepared", 1)
    assert services.line_came_late(other.id, day, because="1 line", by=system("import")) is not None


def test_a_line_of_a_day_off_belongs_to_the_next_business_day(app: Flask, day: date, maker: Actor) -> None:
    view = registered()
    before = business_days.open_day().day
    business_days.end(before, next_day=before + timedelta(days=3), by=system())
    following = business_days.open_day().day
    business_days.end(following, by=system())
    services.prepare(*EUR, following, by=maker)
    between = following - timedelta(days=1)
    assert services.line_came_late(view.id, between, because="1 line", by=system("import")) is not None


def test_the_database_lets_a_version_only_go_forward(app: Flask, day: date, maker: Actor, signer: Actor) -> None:
    registered()
    services.prepare(*EUR, day, by=maker)
    own = "UPDATE treasury_day SET state = 'signed', signed_at = now(), signed_by = 'x', signed_by_id = prepared_by_id"
    refused_by("signer_is_not_preparer", own)
    refused_by("treasury_day_goes_forward", "UPDATE treasury_day SET state = 'open'")
    services.sign(*EUR, day, by=signer)
    refused_by("treasury_day_is_as_signed", "UPDATE treasury_day SET signed_by = 'somebody else'")
    refused_by("treasury_day_is_as_signed", "UPDATE treasury_day SET prepared_by = 'somebody else'")
    refused_by("treasury_day_is_as_signed", "UPDATE treasury_day SET day = day, version = 5")
    refused_by("treasury_day_is_as_signed", "UPDATE treasury_day SET state = state")
    services.reopen(*EUR, day, because="x", by=maker)
    refused_by("treasury_day_goes_forward", "UPDATE treasury_day SET reopened_because = 'y' WHERE state = 'reopened'")
    for statement in ("DELETE FROM treasury_day", "TRUNCATE treasury_day CASCADE"):
        with pytest.raises(sa.exc.DBAPIError), session().begin_nested():
            session().execute(sa.text(statement))


def test_the_database_counts_versions_and_lets_them_begin_open(app: Flask, day: date) -> None:
    insert = (
        "INSERT INTO treasury_day (id, pool, currency, day, version, state, opened_at, prepared_at, prepared_by_id)"
        " VALUES (gen_random_uuid(), 'eMoney', 'eur', :day, :version, :state, now(), :at, :by)"
    )
    nobody = {"at": None, "by": None}
    refused_by("treasury_day_versions_count_up", insert, day=day, version=2, state="open", **nobody)
    refused_by("treasury_day_begins_open", insert, day=day, version=1, state="prepared", at=clock.now(),
               by="00000000-0000-0000-0000-000000000001")  # fmt: skip
    services.ensure(*EUR, day)
    refused_by("uq_treasury_day", insert, day=day, version=2, state="open", **nobody)


def test_the_database_prepares_no_open_business_day(app: Flask) -> None:
    services.ensure(*EUR, business_days.open_day().day)
    refused_by("treasury_day_of_a_closed_day",
               "UPDATE treasury_day SET state = 'prepared', prepared_at = now(), prepared_by = 'x',"
               " prepared_by_id = gen_random_uuid()")  # fmt: skip


# --- at once ---


def _committed_day(app: Flask) -> tuple[date, list[Actor]]:
    with transaction():
        business_days.open_first(clock.calendar().add_days(clock.calendar().today(), 0), by=system())
        people = [
            staff.actor_of(
                staff.create_member(email=f"{role.value}@test.example", role=role, password=PASSWORD,
                                    name=role.value, by=system())
            )
            for role in (Role.TREASURER, Role.SENIOR_TREASURER)
        ]  # fmt: skip
    return business_days.end(business_days.open_day().day, by=system()).day, people


def _together(app: Flask, *verbs: Any) -> list[str]:
    """Run the verbs in threads, each in a transaction of its own; gives what each said."""
    told = [""] * len(verbs)
    barrier = threading.Barrier(len(verbs))

    def run(place: int, verb: Any) -> None:
        with app.app_context():
            barrier.wait()
            try:
                with transaction():
                    verb()
                told[place] = "done"
            except (Conflict, Refused, Forbidden) as refusal:
                told[place] = refusal.code

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(verbs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def test_two_who_prepare_at_once_make_one_version(committed: Flask) -> None:
    day, people = _committed_day(committed)
    registered()
    told = _together(committed, *(lambda by=by: services.prepare(*EUR, day, by=by) for by in people))
    assert sorted(told) == ["alreadyPrepared", "done"]
    assert [version.version for version in queries.versions(*EUR, day)] == [1]


def test_a_line_that_is_being_brought_is_waited_for_before_signing(committed: Flask) -> None:
    day, (maker, signer) = _committed_day(committed)
    view = registered()
    with transaction():
        services.prepare(*EUR, day, by=maker)
    brought, may_end = threading.Event(), threading.Event()
    told: list[str] = []

    def bring() -> None:
        with committed.app_context(), transaction():
            services.line_came_late(view.id, day, because="1 line arrived", by=system("import"))
            brought.set()
            may_end.wait(10)

    def sign() -> None:
        with committed.app_context():
            try:
                with transaction():
                    services.sign(*EUR, day, by=signer)
                told.append("signed")
            except Conflict as refusal:
                told.append(refusal.code)

    bringing = threading.Thread(target=bring)
    bringing.start()
    assert brought.wait(10)
    signing = threading.Thread(target=sign)
    signing.start()
    signing.join(0.5)
    # it waits: nothing is said before the line is there
    assert told == []
    may_end.set()
    bringing.join()
    signing.join()
    assert told == ["notPrepared"]
    session().rollback()
    assert [(v.version, v.state) for v in queries.versions(*EUR, day)] == [(2, "open"), (1, "reopened")]


def test_a_line_that_comes_while_nobody_has_begun_is_seen_by_who_prepares(committed: Flask) -> None:
    day, (maker, _) = _committed_day(committed)
    view = registered()
    brought, may_end = threading.Event(), threading.Event()
    told: list[str] = []

    def bring() -> None:
        with committed.app_context(), transaction():
            services.line_came_late(view.id, day, because="1 line arrived", by=system("import"))
            brought.set()
            may_end.wait(10)
            told.append("brought")

    def prepare() -> None:
        with committed.app_context(), transaction():
            services.prepare(*EUR, day, by=maker)
            told.append("prepared")

    threads = [threading.Thread(target=bring), threading.Thread(target=prepare)]
    threads[0].start()
    assert brought.wait(10)
    threads[1].start()
    threads[1].join(0.5)
    may_end.set()
    for thread in threads:
        thread.join()
    assert told == ["brought", "prepared"]


# --- who the two are ---


def test_of_preparer_and_signer_one_is_senior(app: Flask, day: date, maker: Actor, signer: Actor) -> None:
    registered()
    other = staff.actor_of(
        staff.create_member(
            email="second@test.example", role=Role.TREASURER, password=PASSWORD, name="Second", by=system()
        )
    )
    services.prepare(*EUR, day, by=maker)
    with pytest.raises(Forbidden) as caught:
        services.sign(*EUR, day, by=other)
    assert caught.value.code == "seniorNeeded"
    refused_by("treasury_day_one_of_two_is_senior",
               "UPDATE treasury_day SET state = 'signed', signed_at = now(), signed_by = 'x', signed_by_id = :id",
               id=other.staff_id)  # fmt: skip
    services.reopen(*EUR, day, because="x", by=signer)
    services.prepare(*EUR, day, by=signer)
    assert services.sign(*EUR, day, by=other).state == "signed"


def test_a_day_is_signed_by_somebody_who_is_known(app: Flask, day: date, signer: Actor) -> None:
    registered()
    services.prepare(*EUR, day, by=signer)
    refused_by("fk_treasury_day_signed_by_id",
               "UPDATE treasury_day SET state = 'signed', signed_at = now(), signed_by = 'nobody',"
               " signed_by_id = gen_random_uuid()")  # fmt: skip
