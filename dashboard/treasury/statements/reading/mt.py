"""MT940 and MT942 through mt-940, one piece of a statement at a time.

The library reads a text as a whole. So that memory stays constant, and one bad line refuses one entry, a statement is
cut at its `:61:` fields and each piece is given to `mt940.parse_statements()` under the statement's own first fields.
What is made of the texts in `:86:` is decided here: banks structure them in three ways, and most not at all.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from dashboard.treasury.statements.reading.stream import (
    Balance,
    Detail,
    End,
    Entry,
    Head,
    Item,
    Refused,
    Unreadable,
    account_number,
    cleaned,
    reference,
)
from dashboard.treasury.vocabulary import EntryStatus, StatementKind

#: it writes whole lines of statements into its log
logging.getLogger("mt940").setLevel(logging.CRITICAL + 1)

FORMATS = ("mt940", "mt942")
#: entries given to the library at once
AT_ONCE = 200
#: lines of one entry; SWIFT allows nine, some banks write more
MOST_LINES, LONGEST_LINE = 200, 4_096
ENCODINGS = ("utf-8-sig", "cp1250", "latin-1")
#: what is decoded to choose the encoding
_SAMPLE = 1 << 20
_KINDS = {"940": StatementKind.STATEMENT, "942": StatementKind.INTERIM}
_ALONE = re.compile(r":?94[02](:| 00)")
_FIELD = re.compile(r":([0-9]{2}[A-Z]?|NS):")
_BEGINNING = re.compile(r"(\{1:|:20:|(?:[^<\r\n]{0,80}\r?\n){1,6}:20:|:940:)")
#: blocks of SWIFT around a message
_BLOCKS = re.compile(r"^(\{[123]:[^{}]*(\{[^{}]*\}[^{}]*)*\})*(\{4:)?")
#: what a block or a line before a message announces
_ANNOUNCED = re.compile(r"(?:\{2:[IO]|^:?)(94[02])(?![0-9])")
#: fields that say what the statement is, before its entries
_HEAD = {"20", "21", "25", "28", "28C", "13", "13D", "34", "34F", "60", "60F", "60M", "NS"}
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
#: subfields of German and Polish texts: ?20 to ?29 and ?60 to ?63 are remittance, ?31 the account, ?32 and ?33 the name
_GERMAN = re.compile(r"\?([0-9]{2})")
_SLASHED = re.compile(r"/(EREF|KREF|MREF|BENM|ORDP|REMI|NAME|IBAN|TRCD|CSID|MARF|PREF|RTRN|ISDT|BIC|ID|ADDR)/")
_PLUS = re.compile(r"(EREF|KREF|MREF|SVWZ|CRED|DEBT|ABWA|ABWE|IBAN|BIC)\+")


def looks_like_one(beginning: str) -> bool:
    """Whether it begins as SWIFT's statements do."""
    return bool(_BEGINNING.match(beginning.lstrip("\ufeff\x01\r\n\t ")))


def encoding_of(path: Path) -> str:
    """The first of those that banks use in which the file makes sense."""
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    # what was cut in the middle of a letter is no mistake of the file
    for encoding in ENCODINGS:
        for end in range(4):
            try:
                sample[: len(sample) - end].decode(encoding)
                return encoding
            except UnicodeDecodeError:
                continue
    return ENCODINGS[-1]


def format_of(path: Path) -> str:
    """mt942 where the first statement has what only it has (floor limits or sums), else mt940."""
    with path.open(encoding=encoding_of(path), errors="replace") as file:
        for line in file.read(_SAMPLE).splitlines():
            text = line.strip()
            if text.startswith((":34F:", ":90D:", ":90C:", "{2:O942", "{2:I942", "942 ")):
                return "mt942"
            if text.startswith((":60F:", ":60M:", ":62F:", ":62M:", "{2:O940", "{2:I940", "940 ")):
                return "mt940"
    return "mt940"


@dataclass
class _Open:
    """A statement that is being read."""

    place: int
    kind: StatementKind
    #: whether a block before it said its kind
    announced: bool = False
    head: list[str] = field(default_factory=list)
    entry: list[str] = field(default_factory=list)
    waiting: list[list[str]] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    told: Head | None = None
    currency: str | None = None
    opening: Balance | None = None
    number: int = 0
    remarks: list[str] = field(default_factory=list)


def items(path: Path) -> Iterator[Item]:
    """The statements of a file, which may hold messages of both kinds. Raises Unreadable, also in the midst of it."""
    usual, announced = _KINDS[format_of(path)[2:]], None
    place, current, where = 0, None, ""
    for line in _lines(path):
        if line.startswith("\n"):
            announced = line[1:]
            continue
        found = _FIELD.match(line)
        tag = found[1] if found else None
        if tag == "20":
            if current is not None:
                yield from _over(current)
            place += 1
            current = _Open(place, _KINDS[announced] if announced else usual, announced is not None)
            where, announced = "head", None
        if current is None:
            continue
        if tag == "61":
            yield from _begun(current)
            if len(current.waiting) >= AT_ONCE:
                yield from _entries(current)
            current.waiting.append([line])
            where = "entry"
        elif tag is not None and tag not in {"86", "20"} and tag[:2] in {"62", "64", "65", "90"}:
            where = "tail"
            current.tail.append(line)
        elif tag == "86" and where == "tail":
            # information on the statement as a whole
            where = "rest"
        elif tag is not None and tag not in {"86", "61"}:
            # also a head field after the entries
            where = "head"
            if not current.number and not current.waiting:
                current.head.append(line)
        elif where == "head":
            current.head.append(line)
        elif where == "tail":
            current.tail.append(line)
        elif where == "entry" and current.waiting:
            lines = current.waiting[-1]
            if len(lines) < MOST_LINES:
                lines.append(line)
        if len(current.head) + len(current.tail) > MOST_LINES:
            raise Unreadable(f"Statement {current.place} has more lines outside of its entries than any bank writes.")
    if current is None:
        raise Unreadable("There is no statement in it: a field :20: is missing.")
    yield from _over(current)


def _kind(current: _Open) -> StatementKind:
    """By what was announced, then by what only one of the two has: an opening balance, or floor limits and a time."""
    if current.announced:
        return current.kind
    if any(line.startswith(":60") for line in current.head):
        return StatementKind.STATEMENT
    if any(line.startswith((":34F:", ":13:", ":13D:")) for line in current.head):
        return StatementKind.INTERIM
    return current.kind


def _lines(path: Path) -> Iterator[str]:
    """Lines of the message itself, without SWIFT's blocks and separators; where a message is announced, 940 or 942
    behind a line end, which no line of a text can be."""
    with path.open(encoding=encoding_of(path), errors="replace", newline=None) as file:
        while line := file.readline(LONGEST_LINE):
            text = line.rstrip()
            if len(line) >= LONGEST_LINE and not line.endswith("\n"):
                raise Unreadable("A line in it is too long for any statement.")
            if "{2:" in text or _ALONE.fullmatch(text):
                yield from (f"\n{kind}" for kind in _ANNOUNCED.findall(text)[-1:])
            text = _BLOCKS.sub("", text.replace("\x00", " "), count=1) if text.startswith("{") else text
            if text.strip() in {"", "-", "-}"} or text.startswith("-}"):
                continue
            yield text


def _parsed(lines: Sequence[str]) -> Any:
    """One statement as the library gives it. Raises whatever the library does."""
    import mt940

    text = "\n".join(lines) + "\n"
    tags: dict[int | str, mt940.tags.Tag] | None = {61: mt940.tags.StatementASNB()} if _is_asn(lines) else None
    found = mt940.parse_statements(
        # a text could be the name of a file of this machine
        io.StringIO(text), processors={"post_transaction_details": []}, tags=tags,
    )  # fmt: skip
    return found[0] if found else None


def _is_asn(lines: Sequence[str]) -> bool:
    """ASN Bank and its sisters write a whole account number where a reference of 16 characters belongs."""
    return any(re.match(r":25:NL[0-9]{2}(ASNB|SNSB|RBRB)", line) for line in lines)


_FAILURES = (
    RuntimeError,
    ValueError,
    ArithmeticError,
    AssertionError,
    KeyError,
    TypeError,
    AttributeError,
    LookupError,
)


def _begun(current: _Open) -> Iterator[Item]:
    """The head, once."""
    if current.told is not None:
        return
    data: dict[str, Any] = {}
    try:
        found = _parsed(current.head)
        data = found.data if found is not None else {}
    except _FAILURES:
        current.remarks.append("Its first fields cannot all be read.")
        for line in current.head:
            try:
                data |= _parsed([":20:X", line]).data
            except _FAILURES:
                continue
    opening, code = _first_of(data, final_opening_balance="OPBD", intermediate_opening_balance="ITBD",
                              opening_balance="OPBD")  # fmt: skip
    current.opening = _balance(opening, code)
    current.currency = current.opening.currency if current.opening else _currency_of_limits(data)
    number = str(data.get("statement_number") or "")
    page, created = str(data.get("sequence_number") or ""), data.get("date")
    current.told = Head(
        place=current.place,
        kind=_kind(current).value,
        account=account_number(data.get("account_identification")),
        currency=current.currency,
        bank_id=reference(data.get("transaction_reference")),
        sequence=int(number) or None if number.isdigit() else None,
        page=int(page) or None if page.isdigit() else None,
        created_on=_plain(created) if created is not None else None,
    )
    yield current.told


def _over(current: _Open) -> Iterator[Item]:
    yield from _begun(current)
    yield from _entries(current)
    balances = [current.opening] if current.opening else []
    if current.tail:
        try:
            data = _parsed([":20:X", *current.tail]).data
        except _FAILURES:
            current.remarks.append("Its last fields cannot be read.")
        else:
            closing, code = _first_of(data, final_closing_balance="CLBD", intermediate_closing_balance="ITBD",
                                      closing_balance="CLBD")  # fmt: skip
            found = _balance(closing, code)
            if found is not None:
                balances.append(found)
    yield End(tuple(balances), tuple(current.remarks))


def _entries(current: _Open) -> Iterator[Item]:
    """What waits, through the library at once; where that fails, one after the other."""
    waiting, current.waiting = current.waiting, []
    if not waiting:
        return
    head = [":20:X", *[line for line in current.head if line.startswith((":25:", ":60"))]]
    try:
        found = list(_parsed([*head, *[line for lines in waiting for line in lines]]))
        if len(found) != len(waiting):
            found = []
    except _FAILURES:
        found = []
    for place, lines in enumerate(waiting):
        current.number += 1
        where = f"statement {current.place}, entry {current.number}"
        if found:
            one = found[place]
        else:
            try:
                [one] = list(_parsed([*head, *lines]))
            except _FAILURES:
                yield Refused(where, "The line :61: cannot be read.")
                continue
        try:
            yield _entry(one.data, current, where)
        except _FAILURES:
            yield Refused(where, "The line :61: has no amount or no date that can be read.")


def _entry(data: dict[str, Any], current: _Open, where: str) -> Entry:
    status = str(data["status"]).upper()
    amount = abs(Decimal(data["amount"].amount))
    # a reversal of a credit takes money away, a reversal of a debit gives it back
    came = status in {"C", "RD"}
    value = _plain(data.get("date"))
    booked = _plain(data.get("entry_date")) or value
    own, bank = reference(data.get("customer_reference")), reference(data.get("bank_reference"))
    said = str(data.get("transaction_details") or "")
    detail = _detail(said, own, bank, cleaned(data.get("extra_details")))
    return Entry(
        number=current.number,
        where=where,
        amount=amount if came else -amount,
        currency=current.currency,
        status=EntryStatus.BOOKED.value,
        booking_date=booked,
        value_date=value,
        reversal=status.startswith("R"),
        bank_reference=bank or own,
        certain=bank is not None,
        code=cleaned(data.get("id"), 40),
        text=cleaned(data.get("extra_details")),
        details=(detail,),
    )


# --- the texts of :86: ---------------------------------------------------------------------------------------------


def _detail(said: str, own: str | None, bank: str | None, extra: str | None) -> Detail:
    """What a text says of the counterparty, whichever way it is structured."""
    found: dict[str, str] = {}
    if _GERMAN.search(said):
        found = _german(said)
    elif _SLASHED.search(said):
        found = _slashed(said)
    elif (at := re.match(r"\s*([A-Z]{2}[0-9]{2}[A-Z0-9]{11,30})[ \t]+([^\n]+)", said)) is not None:
        found = {"account": at[1], "name": at[2]}
    end_to_end, mandate = reference(found.get("end_to_end")), reference(found.get("mandate"))
    account = account_number(found.get("account"))
    return Detail(
        end_to_end_id=end_to_end,
        provider_reference=bank,
        references=tuple(dict.fromkeys(each for each in (bank, end_to_end, own, mandate) if each)),
        counterparty=cleaned(found.get("name"), 200),
        counterparty_account=account,
        remittance=cleaned(found.get("remittance")) or cleaned(said) or extra,
    )  # fmt: skip


def _german(said: str) -> dict[str, str]:
    parts = _GERMAN.split("".join(said.split("\n")))
    fields: dict[str, str] = {}
    for code, text in zip(parts[1::2], parts[2::2], strict=False):
        fields[code] = fields.get(code, "") + text
    remittance = "".join(fields.get(f"{code:02}", "") for code in (*range(20, 30), *range(60, 64)))
    found = {"remittance": remittance, "account": fields.get("38") or fields.get("31", ""),
             "name": f"{fields.get('32', '')}{fields.get('33', '')}"}  # fmt: skip
    tagged = _PLUS.split(remittance)
    if len(tagged) > 1:
        named = dict(zip(tagged[1::2], tagged[2::2], strict=False))
        found["end_to_end"], found["mandate"] = named.get("EREF", ""), named.get("MREF", "")
        found["remittance"] = named.get("SVWZ", remittance)
    return found


def _slashed(said: str) -> dict[str, str]:
    parts = _SLASHED.split("".join(said.split("\n")))
    named: dict[str, str] = {}
    for code, text in zip(parts[1::2], parts[2::2], strict=False):
        named.setdefault(code, text.strip("/ "))
    return {
        "end_to_end": named.get("EREF", ""), "mandate": named.get("MARF", ""), "name": named.get("NAME", ""),
        "account": named.get("IBAN", ""), "remittance": named.get("REMI", ""),
    }  # fmt: skip


# --- what the library gives ----------------------------------------------------------------------------------------


def _first_of(data: dict[str, Any], **codes: str) -> tuple[Any, str]:
    for name, code in codes.items():
        if data.get(name) is not None:
            return data[name], code
    return None, ""


def _balance(said: Any, code: str) -> Balance | None:
    if said is None or said.amount is None:
        return None
    amount = abs(Decimal(said.amount.amount))
    currency = str(said.amount.currency or "").lower()
    if not currency.isalpha() or len(currency) != 3:
        return None
    return Balance(code, -amount if str(said.status).upper() == "D" else amount, currency, _plain(said.date))


def _currency_of_limits(data: dict[str, Any]) -> str | None:
    for name in ("c_floor_limit", "d_floor_limit", "sum_credit_entries", "sum_debit_entries"):
        currency = str(getattr(data.get(name), "currency", None) or "").lower()
        if len(currency) == 3 and currency.isalpha():
            return currency
    return None


def _plain(said: Any) -> date | None:
    """The library has a class of dates of its own."""
    return date(said.year, said.month, said.day) if said is not None else None
