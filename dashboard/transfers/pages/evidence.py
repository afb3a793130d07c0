"""Possible accounts beside each other: one row for each kind of evidence, and which rows tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from dashboard.transfers.queries.desk import Item

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
    for start, end in sorted(marks):
        start, end = max(start, place), min(end, len(text))
        if start >= end:
            continue
        if start > place:
            found.append(Piece(text[place:start], False))
        found.append(Piece(text[start:end], True))
        place = end
    if place < len(text):
        found.append(Piece(text[place:], False))
    return found


def evidence_of(item: Item) -> Evidence:
    """For a receipt that is undecided."""
    return Evidence()
