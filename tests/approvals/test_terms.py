"""How requests are decided is data under four eyes: hours until they expire, and roles, which a rule only narrows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals import queries, rulebook, ruling, services, taking, terms
from dashboard.approvals.kinds import kind_of, registered
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit.models import AuditEvent
from dashboard.clients.calendar import calendar
from dashboard.database import constraint_of, db, new_id, savepoint, session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from dashboard.people.services import changing
from migrations.guards import rewrite_function
from tests.approvals.test_four_eyes import asked, decide, later
from tests.approvals.test_many_at_once import results, tightened
from tests.approvals.test_rules import refused_by
from tests.conftest import Databases, People
from tests.staff.test_people_guards import at_once

SignIn = Callable[..., FlaskClient]
KIND = "client.activate"
DECIDED = (
    "UPDATE approval_request SET state = '{}', closed_at = now(), decided_by = :who, decider_name = 'x',"
    " decider_senior = :senior, decision_reason = 'x' WHERE id = :id"
)
ROW = (
    "INSERT INTO approval_rule (kind, version, hours, deciders, approval_id)"
    " VALUES (:kind, :version, :hours, :deciders, :id)"
)


def ruling_asked(
    by: Actor, kind: str = KIND, *, hours: int | None = None, deciders: list[Role] | None = None
) -> ApprovalRequest:
    """`deciders`: None for all that the permission lets decide."""
    with transaction():
        return ruling.ask(
            kind, hours=hours, deciders=kind_of(kind).roles() if deciders is None else deciders, reason="agreed", by=by
        )


def ruled(
    by: Actor, second: Actor, kind: str = KIND, *, hours: int | None = None, deciders: list[Role] | None = None
) -> ApprovalRequest:
    request = decide(ruling_asked(by, kind, hours=hours, deciders=deciders), second)
    assert request.state == "approved"
    return request


def gone(who: Actor) -> None:
    """Behind the service: somebody who is not here any more."""
    with transaction():
        session().execute(sa.text("UPDATE staff_member SET disabled_at = now() WHERE id = :id"), {"id": who.id})
    session().expire_all()


def test_the_database_knows_who_may_decide_each_kind_as_the_application_does(app: Flask) -> None:
    found = {
        kind.key: session().scalar(sa.text("SELECT approval_kind_roles(:kind)"), {"kind": kind.key})
        for kind in registered()
    }
    assert found == {kind.key: [role.value for role in kind.roles()] for kind in registered()}
    assert session().scalar(sa.text("SELECT approval_kind_roles('nothing')")) is None


def test_who_is_left_out_sees_a_request_and_decides_it_in_no_way_from_the_moment_two_people_agree(
    signed_in: SignIn, people: People
) -> None:
    admin, senior, other = people.actor(Role.ADMIN), people.actor(Role.SENIOR_OFFICER), people.actor(
        Role.SENIOR_OFFICER, "Tiit Mets"
    )  # fmt: skip
    officer = people.actor(Role.OFFICER)
    request, second = asked(senior), asked(senior)
    with transaction():
        taking.take(request.id, by=officer)
    change = ruling_asked(admin, deciders=[Role.SENIOR_OFFICER])
    assert (change.kind, change.subject) == ("rules.change", "Requests “Activate … by hand”")
    assert (change.before["Who decides"], change.after["Who decides"]) == (
        "Officers and senior officers", "Senior officers",
    )  # fmt: skip
    with pytest.raises(Conflict):
        ruling_asked(senior, hours=5)
    with pytest.raises(Forbidden):
        decide(change, admin)
    # until then the old version counts
    assert services.why_not(request, officer) is None
    assert queries.waiting_for(officer) == 2
    assert decide(change, people.actor(Role.SENIOR_TREASURER)).state == "approved"
    sentence = "The rules of approval leave this to senior officers."
    assert services.why_not(request, officer) == sentence
    assert queries.waiting_for(officer) == queries.count_for(officer, calendar()).everybody == 0
    assert queries.page(actor=officer, view="me", calendar=calendar()) == []
    assert queries.first_to_take(officer) is None
    assert queries.waiting_for(other) == queries.count_for(other, calendar()).unassigned == 2
    # what was taken waits for everybody again
    assert taking.holders([request.id]) == {}
    with pytest.raises(Forbidden, match="senior officers"), transaction():
        taking.take(request.id, by=officer)
    for approve in (True, False):
        with pytest.raises(Forbidden, match="senior officers"):
            decide(request, officer, approve=approve, reason="no")
    for state in ("approved", "rejected"):
        rule = refused_by(DECIDED.format(state), who=officer.id, senior=False, id=request.id)
        assert rule == "approval_request_role_decides"
    found = queries.deciders([request], idle=timedelta(0))[request.id]
    assert [person.id for person in found] == [other.id]
    assert queries.deciders_for(senior, KIND, idle=timedelta(0)) == found
    browser = signed_in(Role.OFFICER)
    page = browser.get(f"/approvals/{request.id}").text
    assert sentence in page and f"/approvals/{request.id}/approve" not in page
    assert str(request.id) not in browser.get("/approvals").text
    assert str(request.id) in browser.get("/approvals?view=open").text
    assert browser.get(f"/approvals/{request.id}/approve").status_code == 403
    refusal = browser.post(f"/approvals/{request.id}/approve")
    assert (refusal.status_code, sentence in refusal.text, "Tiit Mets" in refusal.text) == (403, True, True)
    assert decide(request, other).state == "approved"
    # two people let the others decide again
    ruled(admin, senior)
    assert services.why_not(second, officer) is None
    assert decide(second, officer).state == "approved"
    actions = session().scalars(sa.select(AuditEvent.action).where(AuditEvent.object_id == change.object_id)).all()
    assert actions == ["rule.changed"] * 2


def test_a_role_that_lost_the_permission_decides_no_more_although_a_rule_names_it(
    committed: Flask, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = People()
    admin, senior, other, treasurer = (
        people.actor(Role.ADMIN), people.actor(Role.SENIOR_OFFICER), people.actor(Role.SENIOR_OFFICER, "Tiit Mets"),
        people.actor(Role.SENIOR_TREASURER),
    )  # fmt: skip
    ruled(admin, senior, "rules.change", deciders=[Role.SENIOR_OFFICER, Role.SENIOR_TREASURER])
    request = ruling_asked(admin, deciders=[Role.SENIOR_OFFICER])
    session().commit()
    # until then it decides, in both places
    assert services.why_not(request, treasurer) is None
    for state in ("approved", "rejected"):
        with pytest.raises(Undone), savepoint():
            session().execute(sa.text(DECIDED.format(state)), {"who": treasurer.id, "senior": True, "id": request.id})
            raise Undone
    session().rollback()
    # a later version of the house takes the permission away: the database refuses while the service lets it pass
    engine = sa.create_engine(superuser(databases, str(db.engine.url.database)))
    with engine.begin() as owner, Operations.context(MigrationContext.configure(owner)):
        three, two = "['senior-officer', 'senior-treasurer', 'admin']", "['senior-officer', 'admin']"
        rewrite_function(
            "approval_kind_roles", (f"'rules.change' THEN ARRAY{three}", f"'rules.change' THEN ARRAY{two}")
        )
    engine.dispose()
    assert terms.of("rules.change").deciders == ("senior-officer", "senior-treasurer")
    assert services.why_not(request, treasurer) is None
    for approve, state in ((True, "approved"), (False, "rejected")):
        rule = refused_by(DECIDED.format(state), who=treasurer.id, senior=True, id=request.id)
        assert rule == "approval_request_role_decides"
        with pytest.raises(sa.exc.IntegrityError) as by_database:
            decide(request, treasurer, approve=approve, reason="no")
        assert constraint_of(by_database.value) == "approval_request_role_decides"
    # and the service says it in words, also to somebody who came in before
    row = ROLES[Role.SENIOR_TREASURER]
    without = replace(row, permissions=row.permissions - {Permission.RULES_CHANGE})
    monkeypatch.setitem(ROLES, Role.SENIOR_TREASURER, without)
    now = people.actor(Role.SENIOR_TREASURER)
    for who, sentence in ((now, "Your role cannot decide this."), (treasurer, "leave this to senior officers")):
        for approve in (True, False):
            with pytest.raises(Forbidden, match=sentence):
                decide(request, who, approve=approve, reason="no")
    session().expire_all()
    assert session().get_one(ApprovalRequest, request.id).state == "requested"
    found = queries.deciders([request], idle=timedelta(0))[request.id]
    assert {person.id for person in found} == {senior.id, other.id}
    assert decide(request, other).state == "approved"


def superuser(databases: Databases, name: str) -> sa.URL:
    """A copy of a database is the server's, and nobody else makes a function anew in it."""
    return sa.make_url(databases.admin).set(drivername="postgresql+psycopg", database=name)


class Undone(Exception):
    """What was done so far is taken back."""


def test_a_request_keeps_the_end_it_was_asked_with_and_new_ones_have_the_hours_of_the_rule(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, senior, officer = (people.actor(role) for role in (Role.ADMIN, Role.SENIOR_OFFICER, Role.OFFICER))
    # noon of a business day: both ends of any number of hours within opening hours
    later(monkeypatch, calendar().closing(calendar().add_days(calendar().today(), 1)) - timedelta(hours=6))
    before = asked(officer)
    end = before.expires_at
    assert end == calendar().add_hours(clock.now(), 12)
    for hours in (1, 2, 3, 50, 240, None):
        ruled(admin, senior, hours=hours)
        moment = clock.now()
        request = asked(officer)
        assert request.expires_at == calendar().add_hours(moment, 12 if hours is None else hours), hours
        if hours == 3:
            # the word to the maker comes two business hours before the end, whatever the rule
            later(monkeypatch, calendar().add_hours(moment, 1) - timedelta(seconds=1))
            assert request.id not in {one.id for one in services.claim_words()}
            later(monkeypatch, calendar().add_hours(moment, 1))
            assert request.id in {one.id for one in services.claim_words()}
            later(monkeypatch, moment)
    session().refresh(before)
    assert before.expires_at == end
    # of other kinds as ever
    assert session().get_one(ApprovalRequest, tightened(officer, "eur")).expires_at == calendar().add_hours(
        clock.now(), 12
    )


def test_a_rule_that_fits_no_house_is_refused_by_field(people: People) -> None:
    admin, senior, treasurer = (
        people.actor(role) for role in (Role.ADMIN, Role.SENIOR_OFFICER, Role.SENIOR_TREASURER)
    )  # fmt: skip
    bad: list[tuple[str, Actor, dict[str, Any], dict[str, str]]] = [
        (KIND, admin, {"hours": 0}, {"hours": "range"}),
        (KIND, admin, {"hours": 241, "deciders": []}, {"hours": "range", "deciders": "required"}),
        (KIND, admin, {"deciders": [Role.SENIOR_OFFICER, Role.ADMIN]}, {"deciders": "onlyNarrows"}),
        (KIND, admin, {"deciders": ["nobody"]}, {"deciders": "onlyNarrows"}),
        (KIND, admin, {"deciders": [Role.OFFICER]}, {"deciders": "seniorNeeded"}),
        # nobody but whoever asks, and nobody at all
        (KIND, senior, {"deciders": [Role.SENIOR_OFFICER]}, {"deciders": "nobodyLeft"}),
        ("rules.change", senior, {"deciders": [Role.ADMIN]}, {"deciders": "nobodyLeft"}),
    ]
    for kind, by, values, fields in bad:
        with pytest.raises(Invalid) as refusal:
            ruling_asked(by, kind, **values)
        assert {error.field: error.rule for error in refusal.value.errors} == fields
    last = refusal.value.errors[0].message
    assert "Two people who may decide about rules must be left; it would be Administrators: Admin." in last
    assert "senior officers: Senior Officer" in last and "senior treasurers: Senior Treasurer" in last
    with pytest.raises(Refused, match="already"):
        ruling_asked(admin)
    with pytest.raises(NotFound):
        with transaction():
            ruling.ask("nothing", hours=1, deciders=[Role.ADMIN], reason="x", by=admin)
    with pytest.raises(Forbidden):
        ruling_asked(people.actor(Role.OFFICER), hours=1)
    with pytest.raises(Invalid), transaction():
        ruling.ask(KIND, hours=1, deciders=kind_of(KIND).roles(), reason=" ", by=admin)
    # who was there when it was asked has left when it is decided
    change = ruling_asked(admin, deciders=[Role.SENIOR_OFFICER])
    people.actor(Role.ADMIN, "Other Admin")
    gone(senior)
    with pytest.raises(Refused) as nobody:
        decide(change, treasurer)
    assert nobody.value.code == "nobodyLeft"
    session().expire_all()
    assert session().get_one(ApprovalRequest, change.id).state == "requested"
    assert terms.of(KIND) == terms.AS_INSTALLED


def test_a_change_that_was_asked_of_another_version_is_stale(people: People) -> None:
    admin, senior = people.actor(Role.ADMIN), people.actor(Role.SENIOR_OFFICER)
    first = ruling_asked(admin, hours=5)
    with transaction():
        # as no page asks: the same rule under another name
        second = services.request(
            "rules.change", object_type="rule", object_id=new_id(), client_id=None, subject="x", payload=first.payload,
            before=first.before, after=first.after, reason="x", restricted=False, by=admin,
        )  # fmt: skip
    assert decide(first, senior).state == "approved"
    assert decide(second, senior).state == "stale"
    assert terms.of(KIND).version == 1


def forged(by: Actor, kind: str, **becomes: Any) -> UUID:
    """A request that no service would make."""
    row = {"kind": kind, "version": 1, "hours": None, "deciders": None, **becomes}
    with transaction():
        return services.request(
            "rules.change", object_type="rule", object_id=new_id(), client_id=None, subject="x",
            payload={"rule": "approval_rule", "was": None, "becomes": row}, before={}, after={}, reason="x",
            restricted=False, by=by,
        ).id  # fmt: skip


def test_the_database_takes_a_version_only_as_two_people_approved_it_and_never_one_that_widens_or_locks_out(
    people: People,
) -> None:
    admin, senior, treasurer = (
        people.actor(role) for role in (Role.ADMIN, Role.SENIOR_OFFICER, Role.SENIOR_TREASURER)
    )  # fmt: skip

    def tried(by: Actor, kind: str, **becomes: Any) -> str:
        """What stops the row of a request that was approved behind the service."""
        request_id = forged(by, kind, **becomes)
        values = {"kind": kind, "version": 1, "hours": None, "deciders": None, **becomes, "id": request_id}
        assert refused_by(ROW, **values) == "approval_rule_by_two"
        second = treasurer if by is not treasurer else admin
        session().execute(sa.text(DECIDED.format("approved")), {"who": second.id, "senior": True, "id": request_id})
        return refused_by(ROW, **values)

    assert tried(admin, KIND, deciders=["officer", "senior-officer", "admin"]) == "approval_rule_only_narrows"
    assert tried(admin, "nothing", deciders=["officer"]) == "approval_rule_only_narrows"
    assert tried(admin, KIND, deciders=["officer"]) == "approval_rule_somebody_decides"
    assert tried(senior, KIND, deciders=["senior-officer"]) == "approval_rule_somebody_decides"
    assert tried(admin, "rules.change", deciders=["senior-officer"]) == "approval_rule_somebody_decides"
    assert tried(admin, KIND, deciders=[]) in {"ck_approval_rule_somebody_named", "approval_rule_somebody_decides"}
    rows = [["senior-officer"], ["officer"]]
    assert tried(admin, KIND, deciders=rows) == "ck_approval_rule_deciders_in_a_row"
    assert tried(admin, KIND, hours=241) == "ck_approval_rule_hours_in_range"
    assert tried(admin, KIND, version=2, hours=5) == "approval_rule_by_two"
    # other values than the request's, and the same request a second time
    change = ruled(admin, senior, hours=5)
    for row in (
        {"version": 2, "hours": 6, "deciders": None}, {"version": 2, "hours": 5, "deciders": None},
        {"version": 1, "hours": 5, "deciders": None},
    ):  # fmt: skip
        assert refused_by(ROW, kind=KIND, id=change.id, **row) == "approval_rule_by_two"
    for verb in ("UPDATE approval_rule SET hours = 1", "DELETE FROM approval_rule", "TRUNCATE approval_rule"):
        assert refused_by(verb) == "no grant"
    # without a rule the permission of the role counts in the database too
    request = asked(people.actor(Role.OFFICER))
    wrong = refused_by(DECIDED.format("approved"), who=treasurer.id, senior=True, id=request.id)
    assert wrong == "approval_request_role_decides"


def test_the_last_one_who_decides_about_rules_stays(people: People) -> None:
    admin, senior, first, second = (
        people.actor(Role.ADMIN), people.actor(Role.SENIOR_OFFICER), people.actor(Role.SENIOR_TREASURER),
        people.actor(Role.SENIOR_TREASURER, "Other Treasurer"),
    )  # fmt: skip
    ruled(admin, senior, "rules.change", deciders=[Role.SENIOR_TREASURER])
    # from here on the others ask and do not decide
    waits = ruling_asked(admin, hours=5)
    with pytest.raises(Forbidden, match="leave this to senior treasurers"):
        decide(waits, senior)
    with transaction():
        changing.disable(second.id, reason="left", by=admin)
    with pytest.raises(Refused) as refusal, transaction():
        changing.disable(first.id, reason="left", by=admin)
    assert refusal.value.code == "lastRuleKeeper"
    with pytest.raises(Refused, match="last one who decides about rules"), transaction():
        changing.ask_to_change_role(first.id, role=Role.TREASURER, reason="moves", by=admin)
    last = refused_by("UPDATE staff_member SET disabled_at = now() WHERE id = :id", id=first.id)
    assert last == "staff_member_last_rule_keeper"
    assert decide(waits, first).state == "approved"
    ruled(admin, first, "rules.change")
    with transaction():
        changing.disable(first.id, reason="left", by=admin)


def test_the_pages_show_each_rule_with_its_versions_and_ask_for_another_by_form(
    signed_in: SignIn, people: People
) -> None:
    senior, admin = people.actor(Role.SENIOR_OFFICER), people.actor(Role.ADMIN)
    people.actor(Role.SENIOR_OFFICER, "Tiit Mets")
    browser, place = signed_in(Role.SENIOR_OFFICER), f"/approvals/rules/{KIND}"
    page = browser.get("/approvals/rules").text
    assert f'href="{place}/change"' in page and "12 business hours</td>" in page and "as installed" in page
    form = browser.get(f"{place}/change").text
    assert form.count('type="checkbox"') == form.count("checked") == 2
    assert "Officers and senior officers" in form
    wrong = browser.post(f"{place}/change", data={"hours": "a day", "deciders": ["officer"], "reason": "x"})
    assert wrong.status_code == 422
    for words in ("2 fields need you.", "1 to 240", "One of the two people is senior", 'value="a day"'):
        assert words in wrong.text, words
    missing = browser.post(f"{place}/change", data={"hours": "300"})
    assert (missing.status_code, "3 fields need you." in missing.text) == (422, True)
    assert session().scalars(sa.select(ApprovalRequest)).all() == []
    answers = {"hours": "4", "deciders": ["senior-officer"], "reason": "only seniors"}
    done = browser.post(f"{place}/change", data=answers)
    assert (done.status_code, done.headers["Location"]) == (303, place)
    request = session().scalars(sa.select(ApprovalRequest)).one()
    again = browser.post(f"{place}/change", data=answers)
    assert (again.status_code, "waits for a decision" in again.text) == (409, True)
    assert f"/approvals/{request.id}" in browser.get(place).text
    shown = signed_in(Role.ADMIN).get(f"/approvals/{request.id}").text
    for words in ("12 business hours, as installed", "4 business hours", "Officers and senior officers",
                  "Senior officers: Senior Officer, Tiit Mets", "keep their end"):  # fmt: skip
        assert words in shown, words
    assert decide(request, admin).state == "approved"
    ruled(admin, senior, hours=6, deciders=[Role.SENIOR_OFFICER])
    listed = browser.get("/approvals/rules").text
    for words in ("not officers", "6 business hours", "Admin asked, Senior Officer decided",
                  "Requests “Activate … by hand”"):  # fmt: skip
        assert words in listed, words
    reader = signed_in(Role.AUDITOR)
    page = reader.get(place).text
    for words in ("Version 2", "Version 1", "As installed", "4 business hours", f"/approvals/{request.id}"):
        assert words in page, words
    assert f"{place}/change" not in page
    assert reader.get(f"{place}/change").status_code == 403
    assert {row.key: row.made is not None for row in rulebook.kinds()}[KIND]
    for nowhere in ("nothing", "nothing/change"):
        assert browser.get(f"/approvals/rules/{nowhere}").status_code == 404
    # nobody is there any more who could decide: said, not hidden
    people.actor(Role.ADMIN, "Other Admin")
    for name in (None, "Tiit Mets"):
        gone(people.actor(Role.SENIOR_OFFICER, name))
    assert "Nobody at present" in reader.get("/approvals/rules").text


def test_many_at_once_are_decided_only_by_whom_the_rules_leave_it_to_and_lists_ask_no_more_often_for_more(
    signed_in: SignIn, people: People
) -> None:
    admin, senior, officer = (people.actor(role) for role in (Role.ADMIN, Role.SENIOR_OFFICER, Role.OFFICER))
    people.actor(Role.SENIOR_TREASURER)
    ruled(admin, senior, "rules.tighten", deciders=[Role.SENIOR_TREASURER, Role.ADMIN])
    first = tightened(officer, "eur")

    def statements(path: str) -> int:
        count = 0

        def counted(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            nonlocal count
            count += not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK"))

        engine, browser = session().get_bind(), signed_in(Role.SENIOR_OFFICER)
        sa.event.listen(engine, "before_cursor_execute", counted)
        try:
            assert browser.get(path).status_code == 200
        finally:
            sa.event.remove(engine, "before_cursor_execute", counted)
        return count

    paths = ("/approvals?view=open", "/approvals/rules", "/approvals")
    # once before: what is read for the first time is kept
    few = [statements(path) and statements(path) for path in paths]
    more = [tightened(officer, currency) for currency in ("gbp", "usd", "pln", "sek")]
    ruled(admin, senior, KIND, deciders=[Role.SENIOR_OFFICER])
    ruled(admin, senior, KIND, hours=9)
    assert [statements(path) for path in paths] == few
    browser = signed_in(Role.SENIOR_OFFICER)
    assert 'name="id"' not in browser.get("/approvals?view=open").text
    browser.post("/approvals/bulk", data={"act": "approve", "id": [str(first), str(more[0])]})
    assert set(results(browser).values()) == {"Not yours to decide"}
    able = signed_in(Role.SENIOR_TREASURER)
    able.post("/approvals/bulk", data={"act": "approve", "id": [str(first), str(more[0])]})
    assert set(results(able).values()) == {"Approved"}


def test_a_decision_waits_for_who_changes_the_rule_and_of_two_who_go_at_once_one_keeps_the_rules(
    committed: Flask,
) -> None:
    people = People()
    admin, senior, officer = (people.actor(role) for role in (Role.ADMIN, Role.SENIOR_OFFICER, Role.OFFICER))
    people.actor(Role.SENIOR_OFFICER, "Tiit Mets")
    request, change = asked(senior), ruling_asked(admin, deciders=[Role.SENIOR_OFFICER])
    refusals: list[str] = []

    def decides() -> None:
        with committed.app_context():
            try:
                with transaction():
                    services.decide(request.id, approve=True, reason=None, by=officer)
            except Forbidden as refusal:
                refusals.append(refusal.message)
            finally:
                db.session.remove()

    other = threading.Thread(target=decides)
    waits = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    with transaction():
        services.decide(change.id, approve=True, reason=None, by=senior)
        other.start()
        for _ in range(500):
            if session().scalar(waits) or not other.is_alive():
                break
            threading.Event().wait(0.01)
        assert session().scalar(waits) == 1
    other.join(30)
    assert refusals == ["The rules of approval leave this to senior officers."]
    session().expire_all()
    assert session().get_one(ApprovalRequest, request.id).state == "requested"
    # what a transaction began with says nothing of a rule that was changed since
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as older:
        with pytest.raises(sa.exc.IntegrityError) as refusal:
            decided = {"who": officer.id, "senior": False, "id": request.id}
            older.execute(sa.text(DECIDED.format("approved")), decided)
        assert constraint_of(refusal.value) == "approval_request_reads_the_rules"
    keepers = [people.member(Role.SENIOR_TREASURER), people.member(Role.SENIOR_TREASURER, "Other Treasurer")]
    ruled(admin, senior, "rules.change", deciders=[Role.SENIOR_TREASURER])
    session().commit()
    left = at_once(committed, *(partial(changing.disable, keeper.id, reason="left", by=admin) for keeper in keepers))
    assert [one.code for one in left if isinstance(one, Refused)] == ["lastRuleKeeper"]
