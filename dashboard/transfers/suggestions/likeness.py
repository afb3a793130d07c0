"""Comparing names as people and banks write them: accents lost, words swapped, legal forms left out, typos."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from dashboard.clients.folding import fold

#: legal forms and titles: a name is the same with and without them
_FORMS = """uab ab vsi mb ii tub kub ou oue as sia ik ltd limited plc llp llc inc corp co company gmbh ag kg ug ohg mbh
    sa sas sarl srl spa bv nv oy oyj aps sp zoo z o spolka doo sro kft zrt ehf hf ans sl the and und ir ja un
    mr mrs ms dr"""
FORMS = frozenset(_FORMS.split())
#: words of payments that are nobody's name
_COMMON = """invoice inv nr no number payment pay pmt transfer for from to of account acct ref reference order bill
    faktura rechnung saskaita arve rekins mokejimas uz per sepa eur usd gbp rent loan deposit top up topup salary thank
    you thanks client customer contract fee iban bic"""
COMMON = frozenset(_COMMON.split())
_TOKEN = re.compile(r"[^\W_](?:[^\W_]|['’‘ʼ`´](?=[^\W_]))*")
_APOSTROPHES = str.maketrans("", "", "'’‘ʼ`´")
_SPELLED_OUT = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("ks", "x"), ("ph", "f"), ("y", "i"), ("w", "v"))


@dataclass(frozen=True, slots=True)
class Word:
    """A folded word and where it stands in the text it was read from."""

    text: str
    start: int
    end: int


def read(text: str | None) -> list[Word]:
    """The folded words of a text with their places in it."""
    found = []
    for match in _TOKEN.finditer(text or ""):
        folded = fold(match[0]).translate(_APOSTROPHES)
        if not folded.isalnum():
            folded = "".join(letter for letter in folded if letter.isalnum())
        if folded:
            found.append(Word(folded, match.start(), match.end()))
    return found


def name_words(name: str | None) -> tuple[str, ...]:
    """The words that make a name, without legal forms; all of them where nothing else would be left."""
    every = tuple(word.text for word in read(name))
    kept = tuple(word for word in every if word not in FORMS)
    return kept or every


@lru_cache(maxsize=4096)
def loosely(word: str) -> str:
    """The same for spellings that differ by custom: `mueller` and `muller`."""
    for spelled, plain in _SPELLED_OUT:
        word = word.replace(spelled, plain)
    return word


@lru_cache(maxsize=4096)
def _letters(word: str) -> frozenset[str]:
    return frozenset(word)


def distance(one: str, other: str, most: int) -> int:
    """Letters to change, add, leave out or swap with their neighbour; `most` + 1 where there are more."""
    # one mistake takes at most one letter away and brings at most one other
    if abs(len(one) - len(other)) > most or len(_letters(one) ^ _letters(other)) > 2 * most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, another in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != another))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == another:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]


def allowed(word: str) -> int:
    """How many letters of a word may be wrong."""
    return 0 if len(word) < 4 else 1 if len(word) < 8 else 2


@lru_cache(maxsize=16384)
def alike(one: str, other: str) -> bool:
    """Whether two words may be the same one, mistyped."""
    if one == other or loosely(one) == loosely(other):
        return True
    most = min(allowed(one), allowed(other))
    return most > 0 and distance(one, other, most) <= most


@dataclass(frozen=True)
class Match:
    """How a name stands among words. `exact`: all of it, letter by letter. `words`: where."""

    exact: bool
    words: tuple[Word, ...]


def find(name: Sequence[str], among: Sequence[Word]) -> Match | None:
    """A name in a text, its words in any order. Of a name of three or more words two are enough, and an initial stands
    for one of two; then it is no exact match. A name of one word has at least four letters."""
    if not name or not among or (len(name) == 1 and len(name[0]) < 4):
        return None
    free = list(among)
    found: list[Word] = []
    exact = True
    missing: list[str] = []
    for part in name:
        hit = None
        for word in free:
            if word.text == part:
                hit = word
                break
        else:
            exact = False
            if len(part) > 2:
                hit = next((word for word in free if alike(word.text, part)), None)
        if hit is None:
            missing.append(part)
            continue
        free.remove(hit)
        found.append(hit)
    if not missing:
        if len(name) == 1 and not exact and len(name[0]) < 6:
            return None
        return Match(exact, tuple(found))
    if len(name) >= 3 and len(found) >= 2:
        return Match(False, tuple(found))
    if len(name) == 2 and len(found) == 1 and len(found[0].text) >= 4 and found[0].text in name:
        initial = next(
            (word for word in free if len(word.text) == 1 and word.text == missing[0][0]
             and any(abs(word.end - hit.start) <= 2 or abs(hit.end - word.start) <= 2 for hit in found)),
            None,
        )  # fmt: skip
        if initial is not None:
            return Match(False, (*found, initial))
    return None


def name_as_words(name: Sequence[str]) -> tuple[Word, ...]:
    """A name to find others in."""
    return tuple(Word(word, 0, 0) for word in name)


def same_name(one: Sequence[str], other: Sequence[str]) -> bool | None:
    """True: the same words in any order. False: alike. None: another name."""
    return same_as(one, name_as_words(other))


def same_as(one: Sequence[str], other: Sequence[Word]) -> bool | None:
    """`same_name` with a name that many are compared with."""
    match = find(one, other)
    if match is None:
        return None
    return match.exact and len(one) == len(other)
