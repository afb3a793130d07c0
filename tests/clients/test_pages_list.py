"""The list of clients: everything in the URL, keyset paging both ways, and a sentence for each kind of nothing."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa

from dashboard.access.permissions import Role
from dashboard.clients.pages import listing as listing_module
from dashboard.clients.vocabulary import Scope
from dashboard.database import db
from tests.clients.making import activated, blocked, company, path, person


def names(html: str) -> list[str]:
    return [unescape(name) for name in re.findall(r'<a class="open" [^>]*title="([^"]*)"', html)]


def link(html: str, rel: str) -> str | None:
    found = re.search(rf'href="([^"]+)" rel="{rel}"', html)
    return unescape(found[1]) if found else None


@pytest.fixture
def desk(signed_in: Any) -> Any:
    return signed_in(Role.OFFICER)


@pytest.fixture
def officer(people: Any) -> Any:
    return people.actor(Role.OFFICER)


def test_the_first_day_says_what_to_do(desk: Any) -> None:
    page = desk.get("/clients")
    assert page.status_code == 200
    assert "No clients yet." in page.text and "demo data" in page.text
    assert "Nothing fits" not in page.text


def test_filters_that_hide_everything_can_be_cleared(desk: Any, officer: Any) -> None:
    person(officer)
    page = desk.get("/clients?text=nobody+at+all&status=closed").text
    assert "Nothing fits these filters." in page
    assert "No clients yet." not in page
    assert '<a class="btn btn-link" href="/clients">Clear 2</a>' in page


def test_filters_combine(desk: Any, officer: Any, people: Any) -> None:
    person(officer, first="Mari", last="Ilves")
    person(officer, first="Mari", last="Mets", risk_level=3, residence_country="LV")
    company(officer, name="Mari Kaubandus OÜ", risk_level=3)
    assert set(names(desk.get("/clients?text=mari").text)) == {"Mari Ilves", "Mari Mets", "Mari Kaubandus OÜ"}
    assert names(desk.get("/clients?text=mari&type=individual&risk=3").text) == ["Mari Mets"]
    assert names(desk.get("/clients?country=lv").text) == ["Mari Mets"]
    assert names(desk.get("/clients?flag=pep").text) == ["Mari Kaubandus OÜ"]
    assert names(desk.get("/clients?severity=check&type=company").text) == ["Mari Kaubandus OÜ"]
    assert names(desk.get("/clients?created_to=2001-01-01").text) == []
    assert len(names(desk.get("/clients?created_from=2001-01-01").text)) == 3


def test_status_badges_say_the_scope(desk: Any, officer: Any, people: Any) -> None:
    client = activated(person(officer), officer, people.actor(Role.SENIOR_OFFICER))
    assert '<span class="badge is-ok">Active</span>' in desk.get("/clients").text
    blocked(client, officer, scope=Scope.DEBIT)
    assert "Blocked: debit" in desk.get("/clients?status=blocked").text
    other = person(officer, first="Second")
    blocked(other, officer, scope=Scope.CREDIT)
    blocked(other, officer, scope=Scope.DEBIT)
    assert "Blocked: all" in desk.get("/clients").text


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("status=sleeping", "“sleeping” is none of the choices."),
        ("risk=9", "“9” is none of the choices."),
        ("created_from=yesterday", "Write the date as 2026-03-13."),
        ("created_from=2026-02-30", "Write the date as 2026-03-13."),
        ("created_from=2026-03-02&created_to=2026-03-01", "This lies before the first day."),
        ("country=%3Cscript%3E", "is no country code."),
        ("sort=shoe-size", "Sort by created or name."),
        ("text=" + "x" * 300, "Use at most 200 characters."),
    ],
)
@pytest.mark.parametrize("htmx", [False, True])
def test_a_filter_that_means_nothing_is_told_by_name(
    desk: Any, officer: Any, query: str, message: str, htmx: bool
) -> None:
    person(officer)
    answer = desk.get(f"/clients?{query}", headers={"HX-Request": "true"} if htmx else {})
    assert answer.status_code == 422
    assert message in answer.text
    assert "<script>" not in answer.text
    assert names(answer.text) == []
    assert ("<html" in answer.text) is not htmx


def test_a_tampered_cursor_is_explained_with_a_way_back(desk: Any, officer: Any) -> None:
    person(officer)
    for cursor in ("abc", "%00", "ж", "gAAAAAB" + "x" * 100):
        answer = desk.get(f"/clients?text=mari&sort=name&cursor={cursor}")
        assert answer.status_code == 400
        assert "no longer valid" in answer.text
        assert 'href="/clients?text=mari&amp;sort=name&amp;dir=asc"' in answer.text


def test_a_cursor_of_other_filters_is_refused(desk: Any, officer: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(listing_module, "DEFAULT_PAGE_SIZE", 1)
    for first in ("Ann", "Ben"):
        person(officer, first=first)
    following = link(desk.get("/clients").text, "next")
    assert following is not None
    assert desk.get(following).status_code == 200
    assert desk.get(following + "&status=inactive").status_code == 400


@pytest.mark.parametrize("sort", ["", "sort=name", "sort=name&dir=desc", "sort=created&dir=asc"])
def test_next_and_previous_walk_every_row_once_and_back(desk: Any, officer: Any, monkeypatch: Any, sort: str) -> None:
    monkeypatch.setattr(listing_module, "DEFAULT_PAGE_SIZE", 2)
    made = ["Ann", "Bea", "Cid", "Dora", "Emil"]
    for first in made:
        person(officer, first=first, last="X")
    backwards = sort in ("", "sort=name&dir=desc")
    expected = [f"{first} X" for first in (reversed(made) if backwards else made)]
    url: str | None = f"/clients?{sort}"
    pages, urls = [], []
    while url:
        html = desk.get(url).text
        urls.append(html)
        pages.append(names(html))
        url = link(html, "next")
    assert [name for page in pages for name in page] == expected
    assert [len(page) for page in pages] == [2, 2, 1]
    assert link(urls[0], "prev") is None
    back = link(urls[2], "prev")
    html = desk.get(back).text
    assert names(html) == pages[1]
    html = desk.get(link(html, "prev")).text
    assert names(html) == pages[0]
    assert link(html, "prev") is None


def test_headers_sort_and_say_so(desk: Any, officer: Any) -> None:
    person(officer)
    page = desk.get("/clients").text
    assert re.search(r'aria-sort="descending"><a href="/clients\?sort=created&amp;dir=asc">Created', page)
    assert '<a href="/clients?sort=name&amp;dir=asc">Client</a>' in page
    by_name = desk.get("/clients?sort=name").text
    assert 'aria-sort="ascending"><a href="/clients?sort=name&amp;dir=desc">Client' in by_name


def test_htmx_gets_the_rows_and_a_clean_address(desk: Any, officer: Any) -> None:
    person(officer)
    answer = desk.get("/clients?text=mari&status=&risk=", headers={"HX-Request": "true"})
    assert "<html" not in answer.text and names(answer.text) == ["Mari Ilves"]
    assert answer.headers["HX-Push-Url"] == "/clients?text=mari"
    assert "HX-Request" in answer.headers["Vary"]
    assert 'id="clear" hx-swap-oob="true"' in answer.text and "Clear 1" in answer.text
    whole = desk.get("/clients?text=mari")
    assert "<html" in whole.text and "HX-Request" in whole.headers["Vary"]
    assert "hx-swap-oob" not in whole.text


def test_the_number_of_queries_does_not_grow_with_the_rows(app: Any, desk: Any, officer: Any) -> None:
    def asked() -> int:
        seen: list[str] = []
        listen = lambda *args: seen.append(args[2])  # noqa: E731
        sa.event.listen(db.engine, "before_cursor_execute", listen)
        try:
            assert desk.get("/clients").status_code == 200
        finally:
            sa.event.remove(db.engine, "before_cursor_execute", listen)
        return len(seen)

    blocked(person(officer, first="One"), officer)
    # the first look at a list is written down, a later one soon after is not
    asked()
    few = asked()
    assert few > 2
    for number in range(8):
        client = company(officer, name=f"Company {number}")
        blocked(client, officer)
    assert asked() == few


def test_wildcards_are_letters(desk: Any, officer: Any) -> None:
    person(officer, first="Ann", last="Percent")
    assert names(desk.get("/clients?text=%25").text) == []
    assert names(desk.get("/clients?text=a_n").text) == []


def test_long_and_cyrillic_names_keep_their_whole_name_in_the_title(desk: Any, officer: Any) -> None:
    name = "Товариство з обмеженою відповідальністю «Чорноморська логістична компанія»"
    client = company(officer, name=name)
    page = desk.get("/clients").text
    assert f'href="{path(client)}" title="{name}"' in page
    assert names(desk.get("/clients?text=чорноморська").text) == [name]


def test_a_treasurer_reads_but_creates_nothing(signed_in: Any, officer: Any) -> None:
    person(officer)
    desk = signed_in(Role.TREASURER)
    page = desk.get("/clients").text
    assert names(page) == ["Mari Ilves"]
    assert "/clients/new" not in page
    assert desk.get("/clients/new/individual").status_code == 403
    assert desk.post("/clients/new/company", data={"legal_name": "X"}).status_code == 403
    assert signed_in(Role.ADMIN).get("/clients").status_code == 403
