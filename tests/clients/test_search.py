"""Finding clients: whatever way the database takes, the result is that of a plain filter and sort."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.clients import search
from dashboard.clients.folding import name_key, search_text, words
from dashboard.clients.models import Client, ClientFlag
from dashboard.clients.search import ClientFilter, Order
from dashboard.database import new_id, session

ZONE = ZoneInfo("Europe/Vilnius")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORDERS = [Order(sort, descending) for sort in ("created", "name") for descending in (True, False)]  # type: ignore[arg-type]


def store(name: str, **given: object) -> Client:
    """A client's row alone; flags are rows of their own."""
    flags: Sequence[str] = given.pop("flags", ())  # type: ignore[assignment]
    facts: dict[str, object] = {
        "type": "individual", "status": "inactive", "risk_level": 1, "country": "LT", "email": None,
        "created_at": START, "version": 1, "open_flags": 0, "is_default_compliant": False,
    } | given  # fmt: skip
    facts.setdefault("worst_flag", 2 if flags else 0)
    status = facts.pop("status")
    row = Client(
        id=new_id(),
        name=name,
        name_key=name_key(name),
        search_text=search_text(name, facts["email"]),  # type: ignore[arg-type]
        updated_at=START,
        **facts,
    )
    session().add(row)
    session().flush()
    # the database lets every client begin inactive
    row.status = str(status)
    for code in flags:
        session().add(ClientFlag(client_id=row.id, code=code, severity=2, field="", opened_at=START))
    session().flush()
    return row


def found(**chosen: object) -> list[str]:
    """Names on the first page, newest first."""
    page = search.find(ClientFilter(**chosen), order=ORDERS[0], zone=ZONE, size=200)  # type: ignore[arg-type]
    return [row.name for row in page.rows]


def walk(chosen: ClientFilter, order: Order, size: int) -> list[list[Client]]:
    """All pages from the beginning."""
    pages, after = [], None
    while True:
        page = search.find(chosen, order=order, zone=ZONE, size=size, after=after)
        if page.rows:
            pages.append(page.rows)
        if not page.more:
            return pages
        after = order.key_of(page.rows[-1])


def in_order(rows: Sequence[Client], order: Order) -> list[Client]:
    def key(row: Client) -> tuple[object, UUID]:
        return row.created_at if order.sort == "created" else row.name_key.encode(), row.id

    return sorted(rows, key=key, reverse=order.descending)


def matches(client: Client, text: str) -> bool:
    """What a search promises, in plain words: every word somewhere, a short one at the beginning of a word."""
    tokens = words(text)
    return bool(tokens) and all(
        token in client.search_text
        if len(token) >= 3
        else any(word.startswith(token) for word in client.search_text.split())
        for token in tokens
    )


@pytest.fixture(params=["walk", "index", "walk then index"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way of finding text, whatever the size of the table."""
    reach = {"walk": 10_000, "index": 0, "walk then index": 2}[request.param]
    monkeypatch.setattr(search, "WALK", {"created": reach, "name": reach})
    return str(request.param)


@pytest.mark.parametrize("text", ["ona juškaitė", "JUŠKAITĖ ONA", "juskaite ona", "kaite ona", "  ona   juš "])
def test_parts_of_a_name_are_found_in_any_order_case_and_accent(app: Flask, way: str, text: str) -> None:
    store("Ona Juškaitė")
    store("Jonas Ona Petraitis")
    assert found(text=text) == ["Ona Juškaitė"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("Łucja Żak", "lucja zak"), ("Groß & Søn", "gross son"), ("Seán O’Brien", "obrien"), ("Seán O’Brien", "o'brien"),
     ("Шевченко Їжак", "шевченко"), ("Γιώργος Οικονόμου", "οικονομου"), ("Işıl Kılıç", "isil kilic")],
)  # fmt: skip
def test_letters_that_are_no_accents_fold_too(app: Flask, way: str, name: str, text: str) -> None:
    store(name)
    store("Somebody Else")
    assert found(text=text) == [name]


def test_a_short_word_stands_for_the_beginning_of_a_word(app: Flask, way: str) -> None:
    store("Li Wei")
    store("Oli Berg")
    store("Anna Lind")
    assert sorted(found(text="li")) == ["Anna Lind", "Li Wei"]
    assert found(text="li w") == ["Li Wei"]


@pytest.mark.parametrize("text", ["%", "_", "x%b", "an_x", "\\", "'; --", "*"])
def test_wildcards_are_plain_signs(app: Flask, way: str, text: str) -> None:
    store("Anna Berg")
    store("Axb Cole")
    assert found(text=text) == []


def test_a_wildcard_between_two_words_only_parts_them(app: Flask, way: str) -> None:
    store("Anna Berg")
    assert found(text="anna%berg") == ["Anna Berg"]


def test_an_email_address_is_found_as_it_is_written(app: Flask, way: str) -> None:
    store("Anna Berg", email="a.berg-77@mail.example")
    store("Anna Byrg", email="a.byrg@mail.example")
    assert found(text="a.berg-77@mail.example") == ["Anna Berg"]


def test_an_id_finds_its_client_only_within_the_filters(app: Flask) -> None:
    row = store("Anna Berg")
    assert found(text=str(row.id)) == ["Anna Berg"]
    assert found(text=str(row.id).upper()) == ["Anna Berg"]
    assert found(text=str(row.id), statuses=("closed",)) == []


@pytest.mark.parametrize("order", ORDERS, ids=lambda o: f"{o.sort} {'down' if o.descending else 'up'}")
@pytest.mark.parametrize("text", ["", "berg"])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_small_pages_give_every_row_once_and_read_backwards_the_same_pages(
    app: Flask, way: str, order: Order, text: str, size: int
) -> None:
    rows = [
        store(name, created_at=START + timedelta(days=day))
        for name, day in [("Berg", 0), ("Berg", 0), ("Berg", 0), ("Bérg", 1), ("Aberg", 1), ("Åberg", 2), ("berg B", 2)]
    ]
    chosen = ClientFilter(text=text)
    pages = walk(chosen, order, size)
    assert [row.id for page in pages for row in page] == [row.id for row in in_order(rows, order)]
    for earlier, later in zip(pages, pages[1:], strict=False):
        key = order.key_of(later[0])
        back = search.find(chosen, order=order, zone=ZONE, size=size, after=key, backwards=True)
        assert [row.id for row in back.rows] == [row.id for row in earlier]
        assert back.more is (earlier is not pages[0])


def test_rows_that_come_meanwhile_neither_hide_nor_repeat_the_others(app: Flask) -> None:
    order = ORDERS[0]
    rows = [store(f"Name {n}", created_at=START + timedelta(minutes=n)) for n in range(6)]
    first = search.find(ClientFilter(), order=order, zone=ZONE, size=2)
    store("Newest", created_at=START + timedelta(days=1))
    store("In between", created_at=START + timedelta(minutes=2, seconds=30))
    seen, page = list(first.rows), first
    while page.more:
        page = search.find(ClientFilter(), order=order, zone=ZONE, size=2, after=order.key_of(page.rows[-1]))
        seen += page.rows
    ids = [row.id for row in seen]
    assert len(ids) == len(set(ids))
    assert {row.id for row in rows} <= set(ids)


def test_days_are_those_of_the_institution_both_included(app: Flask) -> None:
    store("Last minute before", created_at=datetime(2026, 3, 9, 21, 59, tzinfo=UTC))
    store("First minute", created_at=datetime(2026, 3, 9, 22, 0, tzinfo=UTC))
    store("Last minute", created_at=datetime(2026, 3, 10, 21, 59, tzinfo=UTC))
    store("First minute after", created_at=datetime(2026, 3, 10, 22, 0, tzinfo=UTC))
    day = date(2026, 3, 10)
    assert found(created_from=day, created_to=day) == ["Last minute", "First minute"]


def test_a_settled_flag_no_longer_finds_its_client(app: Flask) -> None:
    row = store("Anna Berg", flags=("pep",))
    assert found(flags=("pep",)) == ["Anna Berg"]
    flag = session().scalar(sa.select(ClientFlag).where(ClientFlag.client_id == row.id))
    assert flag is not None
    flag.closed_at, flag.closing_reason = START, "seen"
    session().flush()
    assert found(flags=("pep",)) == []


NAMES = st.lists(
    st.sampled_from(["Anna", "Ąnna", "Hanna", "Berg", "Öberg", "O’Brien", "Li", "Łi", "Ö", "Ян", "Mari-Ann", "100%"]),
    min_size=1,
    max_size=3,
).map(" ".join)
PEOPLE = st.fixed_dictionaries(
    {
        "name": NAMES,
        "status": st.sampled_from(["inactive", "closed"]),
        "type": st.sampled_from(["individual", "company"]),
        "risk_level": st.integers(0, 4),
        "country": st.sampled_from(["LT", "MT", None]),
        "flags": st.sampled_from([(), ("pep",), ("pep", "underAge")]),
        "created_at": st.integers(0, 5).map(lambda days: START + timedelta(days=days)),
    }
)
FILTERS = st.builds(
    ClientFilter,
    text=st.one_of(st.just(""), NAMES, st.text(alphabet="anběrgloäÄ%_' 1", max_size=6)),
    statuses=st.sampled_from([(), ("inactive",), ("inactive", "closed")]),
    types=st.sampled_from([(), ("company",)]),
    risks=st.sampled_from([(), (4,), (0, 1, 2)]),
    countries=st.sampled_from([(), ("MT",), ("LT", "MT")]),
    flags=st.sampled_from([(), ("pep",), ("underAge",)]),
    severity=st.sampled_from([0, 2, 3]),
    created_from=st.sampled_from([None, START.date() + timedelta(days=1)]),
    created_to=st.sampled_from([None, START.date() + timedelta(days=3)]),
)


def passes(row: Client, flags: Sequence[str], chosen: ClientFilter) -> bool:
    """The filters in plain Python."""
    day = row.created_at.astimezone(ZONE).date()
    return (
        (not chosen.text.strip() or matches(row, chosen.text))
        and (not chosen.statuses or row.status in chosen.statuses)
        and (not chosen.types or row.type in chosen.types)
        and (not chosen.risks or row.risk_level in chosen.risks)
        and (not chosen.countries or row.country in chosen.countries)
        and (not chosen.flags or bool(set(flags) & set(chosen.flags)))
        and row.worst_flag >= chosen.severity
        and (chosen.created_from is None or day >= chosen.created_from)
        and (chosen.created_to is None or day <= chosen.created_to)
    )


@given(people=st.lists(PEOPLE, max_size=12), chosen=FILTERS, order=st.sampled_from(ORDERS), reach=st.integers(0, 15))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_filter_gives_what_plain_python_gives(
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    people: list[dict[str, object]],
    chosen: ClientFilter,
    order: Order,
    reach: int,
) -> None:
    monkeypatch.setattr(search, "WALK", {"created": reach, "name": reach})
    with session().begin_nested() as outside:
        _compare(people, chosen, order)
        outside.rollback()
    session().expunge_all()


def _compare(people: list[dict[str, object]], chosen: ClientFilter, order: Order) -> None:
    rows = [(store(**person), person["flags"]) for person in people]  # type: ignore[arg-type]
    wanted = in_order([row for row, flags in rows if passes(row, flags, chosen)], order)  # type: ignore[arg-type]
    pages = walk(chosen, order, 3)
    assert [row.id for page in pages for row in page] == [row.id for row in wanted]
    assert search.count(chosen, zone=ZONE) == len(wanted)
