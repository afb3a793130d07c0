"""Saved views: what is kept of a list, who sees it, and what nobody can make of it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent, AuditPayload
from dashboard.clients.vocabulary import RESTRICTED_FLAGS
from dashboard.database import constraint_of, db, session, transaction
from dashboard.errors import DomainError, Forbidden, Invalid, NotFound, Refused
from dashboard.staff import services as staff_services
from dashboard.staff.models import StaffMember
from dashboard.views import lists, queries, services
from dashboard.views.models import CODES, SavedView
from tests.conftest import PASSWORD, People, open_session

PART = {"HX-Request": "true"}
SignIn = Callable[..., FlaskClient]


def save(actor: Actor, query: str = "status=blocked", *, code: str = "clients", **options: Any) -> SavedView:
    with transaction():
        return services.save(
            code, query, name=options.get("name", "Blocked"), shared=options.get("shared", False), by=actor
        )


def refusal_of(actor: Actor, query: str = "status=blocked", **options: Any) -> DomainError:
    with pytest.raises(DomainError) as caught:
        save(actor, query, **options)
    return caught.value


def field_of(refusal: DomainError) -> str:
    assert isinstance(refusal, Invalid)
    return refusal.errors[0].field


def row_above(answer: Any) -> dict[str, bool]:
    """Address of each saved view above a list, and whether it is the one that is open."""
    nav = re.search(r'aria-label="Saved views">(.*?)</nav>', answer.text, re.S)
    links = re.findall(r'<a href="([^"]+)"( aria-current="page")?', nav.group(1)) if nav else []
    return {address.replace("&amp;", "&"): bool(current) for address, current in links}


def test_every_list_offers_to_save_its_filters_to_who_may_open_it_and_the_database_knows_the_same_lists(
    people: People, signed_in: SignIn
) -> None:
    assert set(lists.places()) == set(CODES)
    offered: set[str] = set()
    for role in (Role.SENIOR_OFFICER, Role.SENIOR_TREASURER, Role.ADMIN):
        browser, actor = signed_in(role), people.actor(role)
        for code, place in lists.places().items():
            whole, part = browser.get(place.path), browser.get(place.path, headers={**PART, "HX-Target": "list"})
            if place.may_open(actor):
                offered.add(code)
                for answer in (whole, part):
                    assert answer.status_code == 200, code
                    assert f"/views/new?list={code}" in answer.text, code
                    assert 'aria-label="Rows of lists"' in answer.text, code
            else:
                assert whole.status_code == 403, code
                forged = browser.post("/views/new", data={"list": code, "name": "Mine", "shared": "no"})
                assert forged.status_code == 404, code
    assert offered == set(CODES)


def test_a_view_keeps_filters_and_sort_in_the_lists_order_and_neither_place_nor_words_that_somebody_typed(
    people: People, signed_in: SignIn
) -> None:
    officer, browser = people.actor(Role.OFFICER), signed_in(Role.OFFICER)
    answer = browser.post(
        "/views/new",
        data={
            "list": "clients", "shared": "no", "name": "  Late \t Lithuanians ",
            "query": "?country=LT&cursor=a&text=Jonas+Petraitis&sort=name&status=+blocked+&dir=asc&risk=&status=active",
        },
    )  # fmt: skip
    url = "/clients?status=blocked&country=LT&sort=name&dir=asc"
    assert (answer.status_code, answer.headers["Location"]) == (303, url)
    view = session().scalars(sa.select(SavedView)).one()
    assert (view.name, view.query, view.owner_id) == ("Late Lithuanians", url.partition("?")[2], officer.id)
    assert "Petraitis" not in str(session().execute(sa.select(AuditPayload.after)).all())

    # its address leads there, and nowhere else; it is marked where it is open, also at the next page, and nowhere else
    named = browser.get(f"/views/{view.id}")
    assert (named.status_code, named.headers["Location"]) == (302, url)
    assert row_above(browser.get(url)) == {url: True}
    assert row_above(browser.get("/clients?dir=asc&sort=name&country=LT&status=blocked&type=", headers=PART)) == {
        url: True
    }
    for other in ("/clients", "/clients?status=blocked", url + "&text=Jonas"):
        assert row_above(browser.get(other)) == {url: False}
    # the palette finds it by its name and by its list
    for typed in ("lithu", "client late"):
        assert f'href="{url}"'.replace("&", "&amp;") in browser.get(f"/find?text={typed}", headers=PART).text
    # what was typed is not repeated in the address of the dialog, and the dialog says that it is not kept
    link = re.search(r'href="(/views/new[^"]+)"', browser.get(url + "&text=Jonas").text)
    assert link is not None and "Jonas" not in link.group(1)
    dialog = browser.get(link.group(1).replace("&amp;", "&"), headers=PART)
    assert "Does not keep" in dialog.text and "Status</span> Blocked" in dialog.text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("status=blocked&next=https://evil.example", "no filter “next”"),
        ("status=unheard", "none of the choices"),
        ("status=%00blocked", "control characters"),
        ("country=LT%0d%0aLocation:x", "control characters"),
        ("created_from=2026-13-40", "Created from"),
        ("created_from=2026-02-02&created_to=2026-01-01", "before the first day"),
        ("&".join(f"a{n}=1" for n in range(50)), "too many"),
        ("status=" + "x" * 5000, "too many"),
        ("status=%ff%fe", "too many"),
        ("//evil.example/?status=blocked", "no filter"),
    ],
)
def test_a_query_that_the_list_would_not_understand_is_refused_with_its_reason_and_nothing_is_kept(
    people: People, query: str, words: str
) -> None:
    refusal = refusal_of(people.actor(Role.OFFICER), query)
    assert field_of(refusal) == "query"
    assert words in refusal.errors[0].message  # type: ignore[attr-defined]
    assert session().scalar(sa.select(sa.func.count()).select_from(SavedView)) == 0


def test_free_words_are_kept_by_no_list(people: People) -> None:
    """Filters whose values are not chosen from words, numbers or days stand among those that are left out."""
    auditor, treasurer, admin = (people.actor(role) for role in (Role.AUDITOR, Role.TREASURER, Role.ADMIN))
    for actor, code, query in (
        (auditor, "audit", "action=Jonas+Petraitis"),
        (auditor, "audit", "type=Jonas+Petraitis"),
        (treasurer, "accounts", "provider=Jonas+Petraitis"),
        (treasurer, "movements", "account=Jonas"),
        (treasurer, "breaks", "account=Jonas"),
        (treasurer, "transfers", "amount=Jonas"),
        (treasurer, "transfers", "provider=Jonas"),
        (treasurer, "calendars", "country=Jonas"),
        (treasurer, "calendars", "year=Jonas"),
        (treasurer, "daily-checks", "day=Jonas"),
        (treasurer, "payer-rules", "view=Jonas"),
        (admin, "approvals", "kind=Jonas"),
        (admin, "staff", "role=Jonas"),
        (admin, "tokens", "owner=Jonas"),
    ):
        assert field_of(refusal_of(actor, query, code=code)) == "query", (code, query)
    for code, query, by in (
        ("transfers", "client=Jonas&account=LT12&text=Jonas&reference=R1&kind=outgoing", treasurer),
        ("unrecognized", "payer=Jonas&text=Jonas&currency=eur", treasurer),
        ("audit", "who=Jonas&object=x&client=Jonas&kind=staff", auditor),
        ("approvals", "maker=Jonas&view=open", admin),
    ):
        kept = save(by, query, code=code, name=code).query
        assert len(kept.split("&")) == 1 and "Jonas" not in kept, code


def test_names_are_told_apart_by_no_case_and_no_form_of_a_letter_per_owner_and_list(people: People) -> None:
    officer = people.actor(Role.OFFICER)
    save(officer, name="Straße in Kaunas")
    for again in ("STRASSE IN KAUNAS", "  strasse  in kaunas ", "Ｓtrasse in Kaunas"):
        assert field_of(refusal_of(officer, name=again, query="status=active")) == "name"
    save(officer, name="Straße in Kaunas", code="transfers", query="kind=outgoing")
    save(people.actor(Role.AUDITOR), name="straße in kaunas")
    for bad in ("", "   ", "x" * 61, "left\u202eright", "a\x00b", "zero\u200bwidth"):
        assert field_of(refusal_of(officer, name=bad)) == "name", repr(bad)
    assert save(officer, name="漢" * 60, query="").query == ""
    assert save(officer, name="<script>alert('x')</script> 🐟").name == "<script>alert('x')</script> 🐟"


def test_private_views_are_nobody_elses_and_shared_ones_only_for_who_may_open_the_list(
    people: People, signed_in: SignIn
) -> None:
    officer, colleague = people.actor(Role.OFFICER), people.actor(Role.OFFICER, "Ona Second")
    mine, ours = save(officer, name="Mine <b>"), save(officer, "status=active", name="Ours", shared=True)
    owner, other, admin = signed_in(Role.OFFICER), signed_in(Role.OFFICER, "Ona Second"), signed_in(Role.ADMIN)
    assert set(row_above(owner.get("/clients"))) == {"/clients?status=blocked", "/clients?status=active"}
    assert set(row_above(other.get("/clients"))) == {"/clients?status=active"}
    assert "Mine &lt;b&gt;" in owner.get("/views").text and "Mine" not in other.get("/views?list=clients").text

    # somebody else's private view is not there, and looks as if it never had been
    for act in ("", "/edit", "/delete"):
        assert other.get(f"/views/{mine.id}{act}").status_code == 404
        assert other.get(f"/views/{uuid4()}{act}").status_code == 404
        assert admin.get(f"/views/{mine.id}{act}").status_code == 404
    assert other.post(f"/views/{mine.id}/delete").status_code == 404
    assert other.post(f"/views/{mine.id}/edit", data={"name": "x", "shared": "no"}).status_code == 404

    # a shared one opens for a colleague, who cannot change it, and not for who may not open the list
    assert other.get(f"/views/{ours.id}").headers["Location"] == "/clients?status=active"
    for act in ("edit", "delete"):
        assert other.get(f"/views/{ours.id}/{act}").status_code == 403
        assert other.post(f"/views/{ours.id}/{act}", data={"name": "x", "shared": "no"}).status_code == 403
    with pytest.raises(Forbidden), transaction():
        services.change(ours.id, name="x", shared=False, by=colleague)
    assert admin.get(f"/views/{ours.id}").status_code == 404
    assert "/clients?status=active" not in admin.get("/views").text
    assert "Ours" not in admin.get("/find?text=ours", headers=PART).text
    with pytest.raises(NotFound):
        save(people.actor(Role.ADMIN))
    with pytest.raises(Forbidden):
        save(system())

    # an administrator clears away what is shared, also of a list that the role does not open
    assert f"/views/{ours.id}/delete" in admin.get("/views").text
    assert admin.post(f"/views/{ours.id}/delete").headers["Location"] == "/views"
    assert row_above(other.get("/clients")) == {}
    assert owner.get(f"/views/{ours.id}").status_code == 404
    deleted = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "view.deleted")).one()
    assert (deleted.object_id, deleted.actor_role) == (ours.id, Role.ADMIN.value)


def test_a_filter_that_not_everybody_may_use_is_refused_when_it_is_shared(people: People, signed_in: SignIn) -> None:
    officer, browser = people.actor(Role.OFFICER), signed_in(Role.OFFICER)
    flag = min(RESTRICTED_FLAGS)
    refusal = refusal_of(officer, f"flag={flag}", shared=True)
    assert field_of(refusal) == "shared"
    answer = browser.post(
        "/views/new", data={"list": "clients", "query": f"flag={flag}", "name": "Secret", "shared": "yes"}
    )
    assert answer.status_code == 422 and "Keep it to yourself" in answer.text
    # to oneself it may be kept, and stays so
    view = save(officer, f"flag={flag}", name="Secret")
    answer = browser.post(f"/views/{view.id}/edit", data={"name": "Secret", "shared": "yes"})
    assert answer.status_code == 422 and "Keep it to yourself" in answer.text
    assert not session().scalars(sa.select(SavedView)).one().shared
    # who may not ask for it cannot even keep it
    assert field_of(refusal_of(people.actor(Role.TREASURER), f"flag={flag}")) == "query"


def test_a_view_is_renamed_shared_and_deleted_by_its_owner_and_each_act_is_an_event(
    people: People, signed_in: SignIn
) -> None:
    browser = signed_in(Role.OFFICER)
    view = save(people.actor(Role.OFFICER))
    save(people.actor(Role.OFFICER), "status=active", name="Active")
    edit, delete = f"/views/{view.id}/edit", f"/views/{view.id}/delete"
    assert 'value="Blocked"' in browser.get(edit).text and 'value="Blocked"' in browser.get(edit, headers=PART).text
    for data, field in (
        ({"name": "ACTIVE", "shared": "no"}, "name"),
        ({"name": "", "shared": "no"}, "name"),
        ({"name": "B", "shared": "perhaps"}, "shared"),
    ):
        answer = browser.post(edit, data=data, headers=PART)
        assert answer.status_code == 422 and f'id="{field}-error"' in answer.text, data
    assert browser.post(edit, data={"name": "Stopped", "shared": "yes", "query": "status=active"}).status_code == 303
    # twice is once
    assert browser.post(edit, data={"name": "Stopped", "shared": "yes"}).status_code == 303
    assert "Stopped" in browser.get("/views?list=clients").text
    assert "Everybody loses it." in browser.get(delete).text
    assert browser.post(delete, headers=PART).headers["HX-Redirect"] == "/views?list=clients"
    assert browser.post(delete).status_code == 404
    told = session().execute(
        sa.select(AuditEvent.action, AuditPayload.before, AuditPayload.after)
        .join(AuditPayload, AuditPayload.event_id == AuditEvent.id)
        .where(AuditEvent.object_id == view.id)
        .order_by(AuditEvent.id)
    ).all()  # fmt: skip
    assert [row.action for row in told] == ["view.saved", "view.changed", "view.deleted"]
    assert told[0].after == {"list": "clients", "name": "Blocked", "query": "status=blocked", "shared": False}
    assert (told[1].before, told[1].after) == (
        {"name": "Blocked", "shared": False},
        {"name": "Stopped", "shared": True},
    )
    assert told[2].before["query"] == "status=blocked"


def test_a_person_keeps_fifty_private_views_of_a_list_and_a_list_has_fifty_shared_ones(
    people: People, signed_in: SignIn
) -> None:
    officer, auditor = people.actor(Role.OFFICER), people.actor(Role.AUDITOR)
    made = [
        {
            "id": uuid4(), "owner_id": officer.id, "list": "clients", "name": f"{kind} {n}", "name_key": f"{kind} {n}",
            "query": "status=active", "shared": kind == "s", "created_at": sa.func.now(),
        }
        for kind in ("p", "s")
        for n in range(50)
    ]  # fmt: skip
    with transaction():
        for row in made:
            session().execute(sa.insert(SavedView).values(**row))
    assert isinstance(refusal_of(officer, name="One more"), Refused)
    assert isinstance(refusal_of(officer, name="One more", shared=True), Refused)
    assert isinstance(refusal_of(auditor, name="One more", shared=True), Refused)
    save(auditor, name="One more")
    save(officer, name="One more", code="transfers", query="")
    browser = signed_in(Role.OFFICER)
    answer = browser.post(f"/views/{made[0]['id']}/edit", data={"name": "p 0", "shared": "yes"})
    assert answer.status_code == 422 and "50 shared views" in answer.text
    # the row above the list stays short, and shows the one that is open wherever it comes
    page = browser.get("/clients?status=blocked")
    assert page.text.count('class="meta">shared') + page.text.count(">p ") == 12 and "All 100 views" in page.text
    assert len(queries.of_list(lists.places()["clients"], actor=officer)) == 100


def test_two_who_save_the_same_name_at_once_keep_one_view(committed: Flask) -> None:
    with transaction():
        member = staff_services.create_member(
            email="a@test.example", role=Role.OFFICER, password=PASSWORD, name="A", by=system()
        )
    actor, start = staff_services.actor_of(member), threading.Barrier(4)
    results: list[str] = []

    def run(name: str) -> None:
        with committed.app_context():
            start.wait(10)
            try:
                save(actor, name=name)
                results.append("saved")
            except Invalid as refusal:
                results.append(refusal.errors[0].field)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(name,)) for name in ("Same", "same", "SAME", "Same ")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(results) == ["name", "name", "name", "saved"]
    assert session().scalar(sa.select(sa.func.count()).select_from(SavedView)) == 1
    assert session().scalar(sa.select(sa.func.count()).where(AuditEvent.action == "view.saved")) == 1


def test_the_database_knows_the_lists_the_owner_and_the_length_of_names_and_lets_no_question_change(
    people: People,
) -> None:
    officer = people.actor(Role.OFFICER)
    view = save(officer)

    def refused(statement: str, **values: object) -> str:
        with pytest.raises((sa.exc.IntegrityError, sa.exc.ProgrammingError)) as caught, session().begin_nested():
            session().execute(sa.text(statement), values)
        if getattr(caught.value.orig, "sqlstate", "") == "42501":
            return "no grant"
        return constraint_of(caught.value) or ""  # type: ignore[arg-type]

    def added(**change: object) -> str:
        row = {
            "id": uuid4(), "owner_id": officer.id, "list": "clients", "name": "Other", "name_key": "other",
            "query": "", "shared": False,
        } | change  # fmt: skip
        return refused(
            "INSERT INTO saved_view (id, owner_id, list, name, name_key, query, shared, created_at)"
            " VALUES (:id, :owner_id, :list, :name, :name_key, :query, :shared, now())",
            **row,
        )

    assert added(list="passwords") == "ck_saved_view_list_known"
    assert added(owner_id=uuid4()) == "fk_saved_view_owner_id"
    assert added(name_key=view.name_key) == "uq_saved_view_owner_id_list_name_key"
    for name in ("", " x", "x" * 61, "a\tb"):
        assert added(name=name) == "ck_saved_view_name_short", repr(name)
    assert added(name_key="") == "ck_saved_view_key_given"
    for query in ("x" * 1001, "a=b c", "a=\x0d", "a=é"):
        assert added(query=query) == "ck_saved_view_query_plain", query
    for column, value in (("query", "'x=1'"), ("list", "'audit'"), ("owner_id", "id"), ("created_at", "now()")):
        assert refused(f"UPDATE saved_view SET {column} = {value}") == "no grant", column
    assert refused("UPDATE staff_member SET density = 'tiny'") == "ck_staff_member_density_known"


def test_rows_stand_as_the_person_chose_on_every_page_and_after_signing_in_again(
    app: Flask, people: People, signed_in: SignIn
) -> None:
    browser, member = signed_in(Role.OFFICER), people.member(Role.OFFICER)
    assert "data-density" not in browser.get("/clients").text
    answer = browser.post("/staff/me/density", data={"density": "compact", "next": "/clients?status=blocked"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/clients?status=blocked")
    for page in (browser, open_session(app, member)):
        for path in ("/clients", "/transfers", "/"):
            assert (
                '<html lang="en" data-bs-theme="light" data-theme="system" data-density="compact">'
                in page.get(path).text
            )
        assert 'value="compact" aria-pressed="true"' in page.get("/clients").text
    assert "data-density" not in signed_in(Role.TREASURER).get("/clients").text
    assert browser.post("/staff/me/density", data={"density": "tiny"}).status_code == 422
    away = browser.post("/staff/me/density", data={"density": "comfortable", "next": "https://evil.example/"})
    assert away.headers["Location"] == "/"
    assert session().get(StaffMember, UUID(str(member.id)), populate_existing=True).density == "comfortable"  # type: ignore[union-attr]


def test_a_list_that_is_empty_says_why(signed_in: SignIn) -> None:
    """Nothing there, nothing that fits, filters that are wrong, and no permission read differently."""
    officer, admin = signed_in(Role.OFFICER), signed_in(Role.ADMIN)
    treasurer = signed_in(Role.TREASURER)
    for browser, path, narrowed, nothing in (
        (officer, "/clients", "status=blocked", "No clients yet."),
        (officer, "/transfers", "kind=outgoing", "No transfers yet."),
        (officer, "/transfers/requests", "state=failed", "No provider has told of incoming money yet."),
        (treasurer, "/ledger/transactions", "currency=eur", "No transactions yet."),
        (treasurer, "/treasury/movements", "currency=eur", "No movements yet."),
        (officer, "/onboarding/events", "answer=RED", "Sumsub has told nothing yet."),
        (admin, "/approvals", "kind=staff.enable", "Nothing waits for your decision."),
        (officer, "/queues/client-review", "late=1", "This queue is empty."),
    ):
        plain, filtered = browser.get(path).text, browser.get(f"{path}?{narrowed}").text
        assert nothing in plain and "Nothing fits these filters." not in plain, path
        assert "Nothing fits these filters." in filtered and nothing not in filtered, path
        assert f'href="{path}' in filtered.partition("Nothing fits these filters.")[2].partition("</p>")[0], path
    assert "Nothing is listed until the filters are right." in officer.get("/clients?status=unheard").text
    refused = admin.get("/clients")
    assert refused.status_code == 403 and "Administrator" in refused.text and "Nothing fits" not in refused.text
