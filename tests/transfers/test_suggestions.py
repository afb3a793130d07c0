"""Whose money it may be: what speaks for an account and against it, where it stands, and what is never said."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from bench import labelled
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.clients import services as clients
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import db, new_id, session, transaction
from dashboard.errors import NotFound
from dashboard.transfers import suggestions
from dashboard.transfers.models import Receipt
from dashboard.transfers.suggestions import Candidate
from dashboard.transfers.suggestions.likeness import alike, distance, find, name_words, read, same_name
from tests.conftest import People
from tests.transfers.unrecognized import Desk


@pytest.fixture
def desk(app: Flask) -> Desk:
    return Desk()


def best(receipt: Receipt) -> Candidate:
    shown = suggestions.candidates(receipt.transfer_id).candidates
    assert shown, "nothing was found"
    return shown[0]


def words(found: Candidate) -> list[str]:
    return [one.word for one in found.reasons]


def against(found: Candidate) -> list[str]:
    return [one.word for one in found.against]


def marked(found: Candidate, word: str, text: str) -> list[str]:
    evidence = next(one for one in found.reasons if one.word == word)
    return [text[mark.start : mark.end] for mark in evidence.marks]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("petrauskas", "petruaskas", True),
        ("petrauskas", "petrauskass", True),
        ("mueller", "muller", True),
        ("ilves", "ilvse", True),
        ("ivo", "iva", False),
        ("tamm", "kask", False),
    ],
)
def test_words_may_be_mistyped(one: str, other: str, expected: bool) -> None:
    assert alike(one, other) is expected


def test_swapped_neighbours_are_one_mistake() -> None:
    assert distance("abcd", "abdc", 2) == 1
    assert distance("abcd", "wxyz", 2) == 3


@pytest.mark.parametrize(
    ("name", "text", "exact"),
    [
        ("Mari Ilves", "rent ILVES, MARI July", True),
        ("Łucja Dąbrowska", "dla Lucja Dabrowska", True),
        ("Ilves OÜ", "Ilves invoice 7", True),
        ("Mari Ilves", "M. Ilves", False),
        ("Mari Ilves", "Mari Ilvse", False),
        ("Mari Ilves", "Mari Tamm", None),
        ("Ivo OÜ", "ivo", None),
    ],
)
def test_a_name_is_found_in_any_order_and_with_a_mistake(name: str, text: str, exact: bool | None) -> None:
    match = find(name_words(name), read(text))
    assert (match.exact if match else None) is exact


def test_a_name_is_the_same_with_and_without_its_legal_form() -> None:
    assert same_name(name_words("UAB Baltija"), name_words("BALTIJA, UAB")) is True
    assert same_name(name_words("Mari Ilves"), name_words("Mari Anna Ilves")) is False
    assert same_name(name_words("Mari Ilves"), name_words("Jonas Tamm")) is None


def test_a_number_is_found_where_it_stands(desk: Desk) -> None:
    account = desk.account()
    spaced = " ".join(account.number[i : i + 4] for i in range(0, len(account.number), 4))
    whole = f"please credit {spaced} today"
    found = best(desk.receipt(remittance=whole))
    assert (found.account_id, words(found)[0]) == (account.id, "accountNumber")
    assert marked(found, "accountNumber", whole) == [spaced]
    text = f"acct ..{account.number[-6:]}"
    found = best(desk.receipt(remittance=text))
    assert (found.account_id, words(found)) == (account.id, ["accountNumberEnd"])
    assert marked(found, "accountNumberEnd", text) == [account.number[-6:]]


def test_names_are_found_with_swapped_words_lost_accents_and_mistakes(desk: Desk) -> None:
    account = desk.account(desk.client("Aurelija", "Vaitkūnaitė"))
    desk.account(desk.client("Aurelija", "Butkutė"))
    for text, word in (
        ("nuoma Vaitkunaite Aurelija", "nameInText"),
        ("for Aurelija Vaitkunatie", "nameLike"),
        ("for Aurelia Vaitkūnaitė", "nameLike"),
    ):
        found = best(desk.receipt(remittance=text))
        assert (found.account_id, words(found)) == (account.id, [word]), text


def test_a_payer_is_known_by_the_account(desk: Desk) -> None:
    account, other = desk.account(), desk.account(desk.client("Ona", "Butkutė"))
    desk.credit(account, 10_00)
    desk.credit(account, 20_00)
    desk.credit(other, 30_00, payer="LT999999999999999999")
    found = best(desk.receipt())
    assert found.account_id == account.id
    assert found.reasons[0].text.startswith("This payer's account paid this client 2 times before, last on ")


def test_what_speaks_against_is_said_and_never_why(desk: Desk) -> None:
    client = desk.client("Aurelija", "Vaitkūnaitė", risk_level=3)
    account = desk.account(client, currency="usd")
    with transaction():
        clients.block(client.id, code=BlockCode.SANCTIONS, scope=Scope.ALL, comment="List of May", by=system())
    session().expire_all()
    found = best(desk.receipt(remittance="Aurelija Vaitkūnaitė", payer=None))
    assert found.account_id == account.id
    assert set(against(found)) == {
        "otherCurrency", "accountFrozen", "clientBlocked", "riskHigh", "payerDataMissing", "thirdParty",
    }  # fmt: skip
    said = str(suggestions.candidates(desk.receipt(remittance="Aurelija Vaitkūnaitė").transfer_id).as_json()).lower()
    assert "sanction" not in said
    assert "may" not in said.split("text")[0]


def test_look_alikes_are_told_apart_by_what_differs(desk: Desk) -> None:
    right, other = (desk.account(desk.client("Jonas", "Tamulis")) for _ in range(2))
    receipt = desk.receipt(remittance=f"Jonas Tamulis {right.number[-5:]}", name="Ona Butkutė")
    shown = suggestions.candidates(receipt.transfer_id).candidates
    assert [one.account_id for one in shown] == [right.id, other.id]
    assert [(one.word, one.differs) for one in shown[0].reasons] == [("nameInText", False), ("accountNumberEnd", True)]


def test_nothing_is_made_up(desk: Desk) -> None:
    desk.account()
    assert (
        suggestions.candidates(desk.receipt(remittance="thank you", name=None, payer=None).transfer_id).candidates == ()
    )
    with pytest.raises(NotFound):
        suggestions.candidates(new_id())


def _book(desk: Desk, chance: random.Random) -> labelled.Book:
    first = ("Jonas", "Rūta", "Tomas", "Eglė", "Łukasz", "Agnieszka", "Rasmus", "Kadri", "Jānis", "Müllike")
    last = ("Kazlauskas", "Petrauskaitė", "Jankauskas", "Dąbrowska", "Tamberg", "Bērziņš", "Köstlin", "Õunapuu")
    pairs = [(one, other) for one in first for other in last]
    chance.shuffle(pairs)
    for one, other in [*pairs[:34], *pairs[:6]]:
        desk.account(desk.client(one, other))
    return labelled.Book(chance, desk.settlement, desk.suspense)


def test_of_two_hundred_labelled_receipts_nearly_all_are_found_and_no_rule_errs(desk: Desk, people: People) -> None:
    cases = labelled.make(_book(desk, random.Random(7)), 200)
    assert len(cases) == 200
    figures = labelled.measure(cases)
    assert figures.first >= 0.9, figures
    assert figures.in_three >= 0.95, figures
    taken, wrong = labelled.wrongly_accepted(
        cases, rules=5, asker=people.actor(Role.OFFICER), decider=people.actor(Role.SENIOR_OFFICER)
    )
    assert (taken, wrong) == (5, 0)


def test_every_look_goes_by_an_index(desk: Desk) -> None:
    """Asked over an empty book the planner would walk tables; told not to, it must find an index for each."""
    from dashboard.transfers.suggestions import gathering

    session().execute(sa.text("SET LOCAL enable_seqscan = off"))
    named: dict[str, Any] = {
        "parts": ["jonas tamulis"], "begins": ["tamul"], "above_all": gathering._ABOVE_ALL,
    }  # fmt: skip
    for look, asked in (
        (gathering._NAMED, named),
        (gathering._BY_KEY, {"begins": ["jonas tamulis"]}),
        (gathering._BY_END, {"lows": ["1174"], "highs": ["1175"]}),
    ):
        plan = session().execute(sa.text(f"EXPLAIN {look.text}"), asked).scalars().all()
        assert [line for line in plan if "Index" in line] and not [line for line in plan if "Seq Scan" in line], plan
    ids = [new_id()]
    for built, asked in (
        (gathering._REFERENCES, {"keys": ["RF12345"], "currency": "eur", "minor": 1, "today": date(2026, 3, 1)}),
        (gathering._OF_PAYER, {"payer": "LT1", "transfer": ids[0], "currency": "eur"}),
        (gathering._ACCOUNTS, {"accounts": ids, "clients": ids}),
    ):
        compiled = built.compile(db.engine)
        told = session().connection().exec_driver_sql(f"EXPLAIN {compiled}", compiled.construct_params(asked))
        plan = told.scalars().all()
        assert [line for line in plan if "Index" in line] and not [line for line in plan if "Seq Scan" in line], plan


def test_a_name_that_very_many_have_is_looked_for_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of the same name tell nothing, and to gather them by their words takes the longest of all looks."""
    from dashboard.transfers.suggestions import gathering

    for _ in range(2):
        desk.account(desk.client("Jonas", "Tamulis"))
    rare = desk.account(desk.client("Ona", "Butkute"))
    monkeypatch.setattr(gathering, "MOST_NAMED", 2)
    gathered: list[Any] = []
    named = gathering._named

    def listening(whole: Any, begins: Any, in_part: Any) -> Any:
        gathered.extend([*whole, *in_part])
        return named(whole, begins, in_part)

    monkeypatch.setattr(gathering, "_named", listening)
    common = suggestions.candidates(desk.receipt(remittance="Tamulis Jonas", name=None).transfer_id)
    assert [one.client_name for one in common.candidates] == ["Jonas Tamulis"] * 2
    assert not [look for look in gathered if {"jonas", "tamulis"} <= set(look.parts)]
    found = suggestions.candidates(desk.receipt(remittance="Ona Butkuet", name=None).transfer_id)
    assert [one.account_id for one in found.candidates] == [rare.id]
    assert gathered


def test_a_wrong_letter_leaves_the_beginning_or_the_end_of_a_word(desk: Desk) -> None:
    account = desk.account(desk.client("Ona", "Butkute"))
    company = desk.account(desk.client("Baltijos Prekyba", "Grupe"))
    short = desk.account(desk.client("Toomas", "Tamm"))
    for text, wanted in (
        ("Ona Uutkute", account), ("Butkuet Ona", account), ("Butkkute, Ona", account),
        ("oomas Tamm", short), ("Toomas Tomm", short), ("Tooas Tamm", short),
        ("prekyba gruep", company), ("grupe prekiba", company),
    ):  # fmt: skip
        found = best(desk.receipt(remittance=text, name=None))
        assert (found.account_id, words(found)) == (wanted.id, ["nameLike"]), text


def test_an_initial_finds_whom_it_stands_for_however_many_share_the_word(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word that very many are called by points to nobody; with an initial it may, as long as few fit."""
    from dashboard.transfers.suggestions import gathering

    monkeypatch.setattr(gathering, "MOST_NAMED", 2)
    monkeypatch.setattr(gathering, "MOST_OF_INITIAL", 2)
    ona, *_ = [desk.account(desk.client(first, "Butkute")) for first in ("Ona", "Jonas", "Rasa")]
    assert not suggestions.candidates(desk.receipt(remittance="Butkute", name=None).transfer_id).candidates
    for text in ("O. Butkute", "butkute o"):
        shown = suggestions.candidates(desk.receipt(remittance=text, name=None).transfer_id).candidates
        assert [(one.account_id, words(one)) for one in shown] == [(ona.id, ["nameLike"])], text
    for first in ("Olga", "Otilija"):
        desk.account(desk.client(first, "Butkute"))
    assert not suggestions.candidates(desk.receipt(remittance="O. Butkute", name=None).transfer_id).candidates


def test_the_index_holds_the_parts_that_are_looked_for(desk: Desk) -> None:
    from dashboard.transfers.suggestions import gathering

    for word in ("tamm", "kallas", "saarinen", "kazlauskas", "łódźstraße"):
        held = session().scalar(sa.text("SELECT name_parts(:name)"), {"name": f"li {word} uab"})
        assert {"li", word, "uab", f"{word[0]}.", *gathering._ends(word)} <= set(held), word
        assert not [part for part in held if " " in part]


def test_a_part_that_the_other_word_has_itself_is_not_looked_for() -> None:
    """Everybody who is called that has it: the longest of all looks, and it tells nothing."""
    from dashboard.transfers.suggestions import gathering

    looks = {look.parts for look in gathering._in_part([("kazlauskas", "jankauskas"), ("kazys", "kazlauskas")])}
    assert looks == {
        ("kazlauskas", "janka*"), ("jankauskas", "kazla*"), ("kazys", "kazla*"), ("kazys", "*uskas"),
        ("kazlauskas", "*zys"),
    }  # fmt: skip
