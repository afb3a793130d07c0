"""Flags have an owner, a closing reason, and come back when the fact is another one."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.clients import queries, services
from dashboard.clients.models import Client, ClientFlag
from dashboard.clients.profile import IndividualProfile
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid
from tests.clients.making import path, person


@pytest.fixture
def officer(people: Any) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: Any) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


@pytest.fixture
def flagged(officer: Actor) -> Client:
    return person(officer, residence_country="XX")


def flag_of(client: Client) -> ClientFlag:
    return queries.flags_of(client.id)[0].flag


def give(flag: ClientFlag, to: Actor | None, by: Actor, seen: Actor | None = None) -> ClientFlag:
    with transaction():
        return services.own_flag(
            flag.id, owner_id=to.id if to else None, seen_owner_id=seen.id if seen else None, by=by
        )


def test_a_flag_is_taken_given_on_and_put_back(flagged: Client, officer: Actor, senior: Actor) -> None:
    flag = flag_of(flagged)
    assert give(flag, officer, officer).owner_id == officer.id
    assert give(flag, senior, officer, seen=officer).owner_id == senior.id
    given = give(flag, None, senior, seen=senior)
    assert (given.owner_id, given.owned_since) == (None, None)


def test_of_two_who_take_a_flag_the_second_is_told_who_has_it(flagged: Client, officer: Actor, senior: Actor) -> None:
    flag = flag_of(flagged)
    give(flag, officer, officer)
    with pytest.raises(Conflict, match="Officer has this flag meanwhile"):
        give(flag, senior, senior)


def test_only_who_reviews_clients_owns_a_flag(flagged: Client, officer: Actor, people: Any) -> None:
    flag = flag_of(flagged)
    for role in (Role.TREASURER, Role.AUDITOR):
        with pytest.raises(Invalid):
            give(flag, people.actor(role), officer)
        with pytest.raises(Forbidden):
            give(flag, officer, people.actor(role))


def test_a_settled_flag_keeps_its_owner_and_is_given_to_nobody(flagged: Client, officer: Actor, senior: Actor) -> None:
    flag = flag_of(flagged)
    give(flag, officer, officer)
    with transaction():
        services.settle_flag(flag.id, reason="Seen", by=senior)
    with pytest.raises(Conflict, match="settled meanwhile by Senior Officer"):
        give(flag, senior, senior, seen=officer)
    assert session().get_one(ClientFlag, flag.id).owner_id == officer.id


def test_a_settled_flag_comes_back_for_another_fact_and_names_the_one_before(flagged: Client, officer: Actor) -> None:
    flag = flag_of(flagged)
    with transaction():
        services.settle_flag(flag.id, reason="A typing mistake", by=officer)
    with transaction():
        services.update(
            flagged.id, IndividualProfile(first_name="Mari", last_name="Ilves", residence_country="XX"), by=officer
        )
    assert queries.flags_of(flagged.id) == [], "the same fact stays settled"
    with transaction():
        services.update(
            flagged.id, IndividualProfile(first_name="Mari", last_name="Ilves", residence_country="ZZ"), by=officer
        )
    again = flag_of(flagged)
    assert (again.reopens_id, again.owner_id) == (flag.id, None)


def test_the_list_of_open_flags_is_by_owner(flagged: Client, officer: Actor, people: Any, signed_in: Any) -> None:
    browser, colleague = signed_in(Role.OFFICER), signed_in(Role.SENIOR_OFFICER)
    assert "No open flag is yours." in browser.get("/clients/flags").text
    assert "Unknown country code" in browser.get("/clients/flags?owner=none").text
    flag = flag_of(flagged)
    url = path(flagged, f"/flags/{flag.id}/owner")
    assert browser.get(url).status_code == 200
    assert browser.post(url, data={"seen": "", "owner": str(officer.id)}).status_code == 303
    assert "Unknown country code" in browser.get("/clients/flags").text
    assert "No open flag is without an owner." in browser.get("/clients/flags?owner=none").text
    assert "No open flag is yours." in colleague.get("/clients/flags").text
    late = colleague.post(url, data={"seen": "", "owner": str(people.actor(Role.SENIOR_OFFICER).id)})
    assert late.status_code == 409 and "Officer has this flag meanwhile" in late.text
    assert "you" in browser.get(path(flagged)).text


@pytest.mark.parametrize(
    ("address", "status"), [("?owner=everybody", 404), ("?cursor=nonsense", 400), ("?owner=any&severity=all", 200)]
)
def test_what_the_list_cannot_mean_is_said(signed_in: Any, address: str, status: int) -> None:
    assert signed_in(Role.OFFICER).get(f"/clients/flags{address}").status_code == status


def test_nobody_else_opens_the_list_or_gives_a_flag(flagged: Client, signed_in: Any) -> None:
    flag = flag_of(flagged)
    for role in (Role.TREASURER, Role.AUDITOR, Role.ADMIN):
        browser = signed_in(role)
        assert browser.get("/clients/flags").status_code == 403
        assert browser.post(path(flagged, f"/flags/{flag.id}/owner"), data={"owner": ""}).status_code == 403


@pytest.mark.parametrize("owner", ["not-an-id", "00000000-0000-0000-0000-000000000000"])
def test_an_owner_that_is_nobody_is_refused(flagged: Client, signed_in: Any, owner: str) -> None:
    flag = flag_of(flagged)
    answer = signed_in(Role.OFFICER).post(path(flagged, f"/flags/{flag.id}/owner"), data={"seen": "", "owner": owner})
    assert answer.status_code == 422
    assert session().scalar(sa.select(ClientFlag.owner_id).where(ClientFlag.id == flag.id)) is None
