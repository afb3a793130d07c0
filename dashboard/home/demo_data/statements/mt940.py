"""MT940, one message for each account, with the structured texts that many banks of the continent use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from text_unidecode import unidecode

from dashboard.home.demo_data.statements.bookings import Bank
from dashboard.home.demo_data.statements.telling import Line, Told
from dashboard.money import Money

#: characters of a line of text, and lines of it
_WIDTH, _LINES = 65, 6
#: characters of one part of a structured text, and parts of the purpose (?20 to ?29)
_PART, _PARTS = 27, 10
_NOT_TAKEN = re.compile(r"[^A-Za-z0-9/().,' -]")


def written(statements: Sequence[tuple[Bank, Told]], previous: date) -> bytes:
    """The file. `previous` is the day whose end the opening balances are of."""
    return "".join(_message(bank, told, previous) for bank, told in statements).encode("ascii")


def _plain(text: str) -> str:
    """In the characters that MT messages take."""
    return " ".join(_NOT_TAKEN.sub(" ", unidecode(text)).split())


def _amount(minor: int, currency: str) -> str:
    return f"{Money(abs(minor), currency).amount}".replace(".", ",")


def _balance(minor: int, on: date, currency: str) -> str:
    return f"{'C' if minor >= 0 else 'D'}{on:%y%m%d}{currency.upper()}{_amount(minor, currency)}"


def _message(bank: Bank, told: Told, previous: date) -> str:
    lines = [
        f":20:ST{told.day:%y%m%d}{bank.currency.upper()}",
        f":25:{bank.number}",
        f":28C:{told.number}/1",
        f":60F:{_balance(told.opening, previous, bank.currency)}",
    ]
    for entry in told.entries:
        for line in entry.lines:
            lines += _line(bank, told.day, line)
    lines += [f":62F:{_balance(told.closing, told.day, bank.currency)}", "-"]
    return "".join(f"{line}\r\n" for line in lines)


def _line(bank: Bank, day: date, line: Line) -> list[str]:
    mark = "C" if line.amount >= 0 else "D"
    if line.reversal:
        mark = f"R{'D' if mark == 'C' else 'C'}"
    value, booked = line.value_date, line.booked or day
    return [
        f":61:{value:%y%m%d}{booked:%m%d}{mark}{_amount(line.amount, bank.currency)}NTRFNONREF//{line.reference[:16]}",
        *_wrapped(f":86:{_structured(line)}"),
    ]


def _structured(line: Line) -> str:
    """Code of the kind of booking, then parts: posting text, purpose, bank, account and name of the other side."""
    code, posting = ("166", "INCOMING CREDIT") if line.amount >= 0 else ("116", "OUTGOING PAYMENT")
    purpose = f"EREF+{line.end_to_end_id}" if line.end_to_end_id else ""
    text = _plain(line.text) if line.text else ""
    if text:
        purpose += f"SVWZ+{text}"
    parts = [f"?00{posting}"]
    parts += [
        f"?{20 + place}{purpose[place * _PART : (place + 1) * _PART]}"
        for place in range(min(_PARTS, -(-len(purpose) // _PART)))
    ]
    if line.party_account:
        parts.append(f"?31{line.party_account}")
    if line.party:
        name = _plain(line.party)[: 2 * _PART]
        parts.append(f"?32{name[:_PART]}")
        if name[_PART:]:
            parts.append(f"?33{name[_PART:]}")
    return code + "".join(parts)


def _wrapped(text: str) -> list[str]:
    """Lines of at most 65 characters. None begins with what would end the field, or with a blank that gets lost."""
    lines: list[str] = []
    while text and len(lines) < _LINES:
        end = min(_WIDTH, len(text))
        while end < len(text) and (text[end] in ":- " or text[end - 1] == " "):
            end -= 1
        lines.append(text[:end])
        text = text[end:]
    return lines
