"""Possible accounts beside each other: one row for each kind of evidence, and which rows tell them apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from dashboard import clock
from dashboard.clients import queries as clients
from dashboard.clients.badges import badge_of_status
from dashboard.clients.vocabulary import Status
from dashboard.ledger import numbers
from dashboard.transfers.queries.desk import Item
from dashboard.transfers.suggestions import Candidate as Suggested
from dashboard.transfers.suggestions import Evidence as Reason
from dashboard.transfers.suggestions import candidates_of

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


class Kind(NamedTuple):
    """A row: the words of evidence that stand in it, and what a candidate without them has. `always`: also where no
    candidate has one, because its absence says something."""

    label: str
    words: tuple[str, ...]
    without: str
    always: bool = True


KINDS = (
    Kind("Number in text", ("reference", "accountNumber", "accountNumberEnd"), "none"),
    Kind("Paid before", ("payerKnown",), "never"),
    Kind("Name in text", ("nameInText", "nameLike"), "differs"),
    Kind("Payer", ("payerIsClient", "payerLike"), "somebody else", always=False),
    Kind("Expected", ("expectedAmount",), "none"),
    Kind("Rule", ("rule",), "none", always=False),
)
_KNOWN = {word for kind in KINDS for word in kind.words}


def _other_kinds(said: Sequence[Suggested]) -> list[Kind]:
    """Evidence that this page knows no row for gets one by its own word."""
    words = dict.fromkeys(reason.word for one in said for reason in one.reasons if reason.word not in _KNOWN)
    found = []
    for word in words:
        label = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda letter: f" {letter[1].lower()}", word)
        found.append(Kind(label[:1].upper() + label[1:], (word,), "none"))
    return found


def _short(reason: Reason, one: Suggested, text: str) -> str:
    """What a cell says of a reason: what was found, where a sentence would say it at length."""
    found = reason.detail.get("found")
    marked = " ".join(text[mark.start : mark.end] for mark in reason.marks if mark.field == "remittance")
    if reason.word in {"reference", "accountNumber", "accountNumberEnd"} and found:
        said = str(found)
        shown = said if len(said) <= SHORTEST_CUT else f"…{said[-4:]}"
        return f"{shown} found" if marked else f"{shown} told as the creditor"
    if reason.word == "payerKnown" and {"times", "last"} <= reason.detail.keys():
        last = clock.calendar().today(datetime.fromisoformat(reason.detail["last"]))
        times = reason.detail["times"]
        return f"{'once' if times == 1 else f'{times} times'}, last {last.day} {last:%b %Y}"
    if reason.word == "nameInText":
        return f"{marked} = {one.client_name}" if marked else "told as the creditor"
    if reason.word == "nameLike":
        return f"{marked} ≈ {one.client_name}" if marked else "like the creditor told"
    if reason.word == "payerIsClient":
        return "is the client"
    if reason.word == "payerLike":
        return "like the client"
    if reason.word == "expectedAmount":
        return "exactly this amount"
    return reason.text.rstrip(".")


#: a number or reference up to this length is shown whole in a cell
SHORTEST_CUT = 12


def evidence_of(item: Item) -> Evidence:
    """For a receipt that is undecided; none for another."""
    if not item.undecided:
        return Evidence()
    found = candidates_of(item.transfer, item.request)
    freezes = clients.freezes_of(one.client_id for one in found.candidates if one.client_status == Status.BLOCKED)
    shown = []
    for number, one in enumerate(found.candidates, start=1):
        badge = badge_of_status(one.client_status, freezes.get(one.client_id))
        shown.append(
            Candidate(
                number=number,
                account_id=one.account_id,
                client_id=one.client_id,
                name=one.client_name,
                end=f"{one.account_number[:2]}…{one.account_number[-4:]}",
                grouped=numbers.in_groups(one.account_number),
                currency=one.currency,
                status=Cell(badge.word, role=badge.role),
                against=[reason.text[:1].lower() + reason.text[1:].rstrip(".") for reason in one.against],
            )
        )
    return Evidence(shown, _rows(found.candidates, shown, item), _marks(found.candidates), found.rules_version)


def _rows(said: Sequence[Suggested], shown: Sequence[Candidate], item: Item) -> list[Row]:
    if not said:
        return []
    text = item.transfer.remittance or ""
    rows = []
    for kind in (*KINDS, *_other_kinds(said)):
        cells = []
        for one in said:
            told = [_short(reason, one, text) for reason in one.reasons if reason.word in kind.words]
            cells.append(Cell("; ".join(dict.fromkeys(told))) if told else Cell(kind.without, weak=True))
        if kind.always or not all(cell.weak for cell in cells):
            rows.append(Row(kind.label, cells))
    rows.append(Row("Client status", [one.status for one in shown]))
    currencies = [
        Cell(one.currency.upper() if one.currency == item.money.currency else f"{one.currency.upper()}: other")
        for one in shown
    ]
    rows.append(Row("Currency", currencies))
    return rows


def _marks(said: Sequence[Suggested]) -> list[Mark]:
    return sorted({
        (mark.start, mark.end) for one in said for reason in one.reasons for mark in reason.marks
        if mark.field == "remittance"
    })  # fmt: skip
