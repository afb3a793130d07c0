"""Possible accounts beside each other: one row for each kind of evidence, and which rows tell them apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from dashboard.clients import queries as clients
from dashboard.clients.badges import status_badge
from dashboard.ledger import numbers
from dashboard.transfers.queries.desk import Item
from dashboard.transfers.suggestions import Candidate as Suggested
from dashboard.transfers.suggestions import candidates

Mark = tuple[int, int]


class Piece(NamedTuple):
    """A part of the bank's text; `found`: a candidate was found by it."""

    text: str
    found: bool


class Cell(NamedTuple):
    """`weak`: it speaks for nothing. `role`: shown as a badge."""

    text: str
    weak: bool = False
    role: str | None = None


@dataclass(frozen=True)
class Row:
    """One kind of evidence for each candidate."""

    label: str
    cells: list[Cell]

    @property
    def differs(self) -> bool:
        return len({cell.text for cell in self.cells}) > 1


@dataclass(frozen=True)
class Candidate:
    """An account that the money may be for. `number` is the key that chooses it."""

    number: int
    account_id: UUID
    client_id: UUID
    name: str
    end: str
    grouped: str
    currency: str
    status: Cell
    against: list[str]


@dataclass(frozen=True)
class Evidence:
    """`marks`: where in the text candidates were found."""

    candidates: list[Candidate] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    version: str = ""

    def differences(self, candidate: Candidate) -> str:
        """What tells this candidate from the others, in one line."""
        said = []
        for row in self.rows:
            cell = row.cells[candidate.number - 1]
            if row.differs and cell.role is None:
                said.append(f"{row.label.lower()}: {cell.text}")
        return " · ".join(said)


def pieces(text: str, marks: Sequence[Mark]) -> list[Piece]:
    """The text cut at its marks, in order; marks that lie over each other become one."""
    found: list[Piece] = []
    place = 0
    for begins, ends in sorted(marks):
        start, end = max(begins, place), min(ends, len(text))
        if start >= end:
            continue
        if start > place:
            found.append(Piece(text[place:start], False))
        found.append(Piece(text[start:end], True))
        place = end
    if place < len(text):
        found.append(Piece(text[place:], False))
    return found


#: word of the evidence: how the row is called, and what a candidate without it has
ROWS = {
    "numberInText": ("Number in text", "none"),
    "accountInText": ("Number in text", "none"),
    "referenceInText": ("Reference", "none"),
    "payerKnown": ("Paid before", "never"),
    "paidBefore": ("Paid before", "never"),
    "nameInText": ("Name in text", "differs"),
    "payerName": ("Payer’s name", "differs"),
    "expectedAmount": ("Expected", "none"),
    "rule": ("Rule", "none"),
}


def _label(word: str) -> str:
    said = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f" {found[1].lower()}", word)
    return said[:1].upper() + said[1:]


def evidence_of(item: Item) -> Evidence:
    """For a receipt that is undecided; none for another."""
    if not item.undecided:
        return Evidence()
    found = candidates(item.id)
    known = clients.by_ids([one.client_id for one in found.candidates])
    freezes = clients.freezes(known.values())
    shown = []
    for number, one in enumerate(found.candidates, start=1):
        client = known.get(one.client_id)
        badge = status_badge(client, freezes.get(client.id)) if client else None
        shown.append(
            Candidate(
                number=number,
                account_id=one.account_id,
                client_id=one.client_id,
                name=one.client_name,
                end=f"{one.account_number[:2]}…{one.account_number[-4:]}",
                grouped=numbers.in_groups(one.account_number),
                currency=one.currency,
                status=Cell(badge.word, role=badge.role) if badge else Cell(one.client_status.capitalize()),
                against=[reason.text.rstrip(".") for reason in one.against],
            )
        )
    return Evidence(shown, _rows(found.candidates, shown, item), _marks(found.candidates), found.rules_version)


def _rows(said: Sequence[Suggested], shown: Sequence[Candidate], item: Item) -> list[Row]:
    words = dict.fromkeys(reason.word for one in said for reason in one.reasons)
    rows = []
    for word in words:
        label, without = ROWS.get(word, (_label(word), "none"))
        cells = []
        for one in said:
            texts = [reason.text.rstrip(".") for reason in one.reasons if reason.word == word]
            cells.append(Cell("; ".join(texts)) if texts else Cell(without, weak=True))
        rows.append(Row(label, cells))
    if shown:
        rows.append(Row("Client status", [one.status for one in shown]))
        rows.append(Row("Currency", [
            Cell(one.currency.upper() if one.currency == item.money.currency else f"{one.currency.upper()}: other")
            for one in shown
        ]))  # fmt: skip
    return rows


def _marks(said: Sequence[Suggested]) -> list[Mark]:
    return sorted({
        (mark.start, mark.end) for one in said for reason in one.reasons for mark in reason.marks
        if mark.field == "remittance"
    })  # fmt: skip
