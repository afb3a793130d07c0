"""No change without its event, no event without its change, and nothing restricted where it does not belong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.access.actor import system
from dashboard.access.permissions import Audience, Role
from dashboard.audit import services as audit
from dashboard.audit.models import AuditEvent, AuditPayload
from dashboard.audit.queries import timeline
from dashboard.clients import services
from dashboard.clients.profile import IndividualProfile
from dashboard.clients.vocabulary import BlockCode
from dashboard.database import new_id, session, transaction
from tests.conftest import Machine, People


def test_a_change_that_is_rolled_back_leaves_no_event(app: Flask) -> None:
    with pytest.raises(RuntimeError), transaction():
        services.create(IndividualProfile(first_name="A", last_name="B"), by=system())
        raise RuntimeError
    assert session().scalar(sa.select(sa.func.count()).select_from(AuditEvent)) == 0


def test_an_event_says_who_in_which_role_and_from_where(people: People) -> None:
    from dataclasses import replace

    officer = replace(people.actor(Role.OFFICER), address="192.0.2.7", request_id="abc-123-def")
    with transaction():
        client = services.create(IndividualProfile(first_name="A", last_name="B"), by=officer)
    event = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "client.created")).one()
    assert (event.actor_kind, event.actor_id, event.actor_role) == ("staff", officer.id, "officer")
    assert (event.address, event.request_id) == ("192.0.2.7", "abc-123-def")
    assert (event.object_id, event.client_id) == (client.id, client.id)


def test_the_digest_fits_the_payload_and_no_other(app: Flask) -> None:
    with transaction():
        event_id = audit.record(
            "test.happened", by=system(), object_type="x", object_id=new_id(), before={"a": 1}, after={"a": "ł"}
        )
    event, payload = session().get_one(AuditEvent, event_id), session().get_one(AuditPayload, event_id)
    content = {"before": payload.before, "after": payload.after, "reason": payload.reason, "restricted": None}
    assert event.payload_digest == audit.payload_digest(payload.salt, content)
    content["after"] = {"a": "l"}
    assert event.payload_digest != audit.payload_digest(payload.salt, content)


def test_the_reason_of_a_block_stands_only_in_the_restricted_part(people: People) -> None:
    officer = people.actor(Role.OFFICER)
    with transaction():
        client = services.create(IndividualProfile(first_name="A", last_name="B"), by=officer)
        services.block(client.id, code=BlockCode.STR_HOLD, comment="secret words", legal_reference="case 7", by=officer)
    for payload in session().scalars(sa.select(AuditPayload)):
        open_part = str((payload.before, payload.after, payload.reason))
        assert "STR_HOLD" not in open_part
        assert "secret words" not in open_part
        assert "case 7" not in open_part


def test_the_timeline_withholds_the_restricted_part_without_the_permission(people: People) -> None:
    officer = people.actor(Role.OFFICER)
    with transaction():
        client = services.create(IndividualProfile(first_name="A", last_name="B"), by=officer)
        services.block(client.id, code=BlockCode.FRAUD, comment="secret words", by=officer)
    masked = timeline(client.id, sees_restricted=False)
    assert all(entry.restricted is None for entry in masked)
    whole = timeline(client.id, sees_restricted=True)
    assert any((entry.restricted or {}).get("comment") == "secret words" for entry in whole)


def test_a_timeline_pages_without_gaps_or_repeats(people: People) -> None:
    officer = people.actor(Role.OFFICER)
    with transaction():
        client = services.create(IndividualProfile(first_name="A", last_name="B"), by=officer)
        for number in range(7):
            services.add_note(client.id, body=f"note {number}", by=officer)
    whole = [entry.id for entry in timeline(client.id, sees_restricted=True)]
    paged: list[object] = []
    edge = None
    while page := timeline(client.id, sees_restricted=True, older_than=edge, limit=3):
        paged += [entry.id for entry in page]
        edge = page[-1].id
    assert paged == whole
    assert len(whole) >= 8


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.decimals(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
        max_leaves=8,
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_payload_still_fits_its_digest_when_it_is_read_back(app: Flask, value: object) -> None:
    with transaction():
        event_id = audit.record("test.happened", by=system(), object_type="x", object_id=None, after={"value": value})
    session().expire_all()
    event, payload = session().get_one(AuditEvent, event_id), session().get_one(AuditPayload, event_id)
    content = {"before": payload.before, "after": payload.after, "reason": payload.reason, "restricted": None}
    assert event.payload_digest == audit.payload_digest(payload.salt, content)


def test_what_a_token_does_is_recorded_with_address_and_request_id(
    app: Flask, machine: Callable[..., Machine], people: People
) -> None:
    with transaction():
        client = services.create(IndividualProfile(first_name="A", last_name="B"), by=people.actor(Role.OFFICER))
    answer = machine(Audience.SYSTEM).call("PUT", f"/internal/Clients/{client.id}/block", json={})
    assert answer.status_code == 200
    event = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "client.blocked")).one()
    assert event.actor_kind == "token"
    assert event.address == "127.0.0.1"
    assert event.request_id == answer.headers["X-Request-Id"]
