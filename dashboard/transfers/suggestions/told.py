"""What a message tells of whom it is for, read into words, numbers and possible references with their places."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from uuid import UUID

from dashboard.ledger.numbers import check_digits
from dashboard.transfers.models import IncomingRequest, Transfer
from dashboard.transfers.suggestions.likeness import COMMON, Word, name_words, read
from dashboard.transfers.suggestions.saying import Mark

LONGEST_TEXT = 1_000
#: shorter ends are parts of every second number
SHORTEST_END = 4
LONGEST_NUMBER = 34
SHORTEST_IBAN = 15
SHORTEST_REFERENCE, LONGEST_REFERENCE = 6, 35
MOST_REFERENCES = 400
MOST_ENDS = 12

_PIECE = re.compile(r"[0-9A-Za-z]+")
_DIGITS = re.compile(r"\d[\d \-./]*\d|\d")
_IBAN = re.compile(r"\b[A-Za-z]{2} ?\d{2}(?: ?[0-9A-Za-z]){8,30}\b")


@dataclass(frozen=True)
class Told:
    """One receipt's message. `numbers` and `references` lead to where they stand."""

    transfer_id: UUID
    currency: str
    amount_minor: int
    payer_key: str | None
    payer_name: str | None
    payer: tuple[str, ...]
    words: tuple[Word, ...]
    #: the creditor's name as the payer wrote it
    creditor: tuple[Word, ...]
    numbers: dict[str, Mark]
    references: dict[str, Mark]
    payer_data_missing: bool


def _end_of_iban(text: str) -> int:
    """Where a number with its country ends: the word behind it belongs to the sentence. The check digits tell."""
    for end in (match.end() for match in _PIECE.finditer(text)):
        number = text[:end].replace(" ", "").upper()
        if len(number) >= SHORTEST_IBAN and number[2:4] == check_digits(number[:2], number[4:]):
            return end
    return len(text)


def _numbers(text: str, field: str) -> dict[str, Mark]:
    """Digits that may be a number or its end, and whole numbers with their country; the longest first."""
    found: dict[str, Mark] = {}
    for match in _IBAN.finditer(text):
        end = _end_of_iban(match[0])
        found.setdefault(match[0][:end].replace(" ", "").upper(), Mark(field, match.start(), match.start() + end))
    for match in _DIGITS.finditer(text):
        joined = re.sub(r"\D", "", match[0])
        if SHORTEST_END <= len(joined) <= LONGEST_NUMBER:
            found.setdefault(joined, Mark(field, match.start(), match.end()))
        for piece in re.finditer(r"\d+", match[0]):
            if len(piece[0]) >= SHORTEST_END:
                found.setdefault(piece[0], Mark(field, match.start() + piece.start(), match.start() + piece.end()))
    return found


def _references(text: str) -> dict[str, Mark]:
    """Every run of letters and digits that may be a reference somebody was given, blanks and signs left out."""
    plain = unicodedata.normalize("NFKC", text)
    if len(plain) != len(text):
        # places would not agree any more
        plain = text
    pieces = [(match[0].upper(), match.start(), match.end()) for match in _PIECE.finditer(plain)]
    with_digit = [any(letter.isdigit() for letter in piece) for piece, _, _ in pieces]
    found: dict[str, Mark] = {}
    for first, (_, start, _) in enumerate(pieces):
        key, has_digit = "", False
        for place in range(first, len(pieces)):
            piece, _, end = pieces[place]
            key += piece
            has_digit = has_digit or with_digit[place]
            if len(key) > LONGEST_REFERENCE or len(found) >= MOST_REFERENCES:
                break
            if has_digit and len(key) >= SHORTEST_REFERENCE:
                found.setdefault(key, Mark("remittance", start, end))
    return found


def read_receipt(transfer: Transfer, request: IncomingRequest | None) -> Told:
    """What one transfer tells. `request`: the bank's word of it."""
    text = (transfer.remittance or "")[:LONGEST_TEXT]
    numbers = _numbers(text, "remittance")
    if request is not None and request.creditor_account:
        told = "".join(_PIECE.findall(request.creditor_account)).upper()
        numbers.setdefault(told, Mark("creditorAccount", 0, len(request.creditor_account)))
    longest = sorted(numbers, key=len, reverse=True)[:MOST_ENDS]
    return Told(
        transfer_id=transfer.id,
        currency=transfer.currency,
        amount_minor=transfer.amount_minor,
        payer_key=transfer.counterparty_key,
        payer_name=transfer.counterparty_name,
        payer=name_words(transfer.counterparty_name),
        words=tuple(word for word in read(text) if word.text not in COMMON and not word.text.isdigit()),
        creditor=tuple(read(request.creditor_name)) if request is not None else (),
        numbers={number: numbers[number] for number in longest},
        references=_references(text),
        payer_data_missing=bool(request.missing) if request is not None
        else not (transfer.counterparty_name and transfer.counterparty_key),
    )  # fmt: skip
