"""Folding names for sorting and finding: accents, case and punctuation do not matter.

The stored key and every query go through the same functions, so both sides always agree. PostgreSQL's own
unaccent is a contrib extension, which the embedded server lacks (docs/adr/0004).
"""

from __future__ import annotations

import unicodedata

#: letters that Unicode does not decompose
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t", "ŋ": "n"}
)
_APOSTROPHES = dict.fromkeys(map(ord, "'’‘ʼ`´"), None)


def fold(text: str) -> str:
    """Lower case without accents: `Łucja Dąbrowska` to `lucja dabrowska`, `Groß` to `gross`."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).translate(_LETTERS)


def words(text: str) -> list[str]:
    """Folded words: letters and digits only; an apostrophe joins (`O'Brien` to `obrien`)."""
    folded = fold(text).translate(_APOSTROPHES)
    return "".join(letter if letter.isalnum() else " " for letter in folded).split()


def search_text(*parts: str | None) -> str:
    """What `client.search_text` holds: all folded words, one blank between."""
    return " ".join(word for part in parts if part for word in words(part))


def name_key(name: str) -> str:
    """What names sort by (COLLATE "C")."""
    return " ".join(words(name)) or fold(name)


def trigrams_of(word: str) -> list[str]:
    """The trigrams that every text containing the folded word must have, as the SQL function `trigrams` cuts them.

    A word of one or two letters stands for the beginning of a word.
    """
    if len(word) < 3:
        return [("  " + word)[-3:]]
    return [word[i : i + 3] for i in range(len(word) - 2)]
