"""CSV by a saved mapping: encoding, delimiter, decimal mark, date format, and which column is what.

A file is one account's. Its rows are cut into statements by the day they were booked on; they stand in the order of
their days, upwards or downwards. Balances are known where a column holds the balance after each row.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from dashboard.errors import FieldError, Invalid
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

ENCODINGS = {
    "utf-8": "utf-8-sig", "windows-1250": "cp1250", "windows-1252": "cp1252", "windows-1257": "cp1257",
    "iso-8859-1": "latin-1", "iso-8859-15": "iso8859-15", "iso-8859-2": "iso8859-2", "utf-16": "utf-16",
}  # fmt: skip
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
#: as people write them, and as they are read
DATE_FORMATS = {
    "YYYY-MM-DD": "%Y-%m-%d", "DD.MM.YYYY": "%d.%m.%Y", "DD/MM/YYYY": "%d/%m/%Y", "MM/DD/YYYY": "%m/%d/%Y",
    "DD-MM-YYYY": "%d-%m-%Y", "YYYYMMDD": "%Y%m%d", "YYYY/MM/DD": "%Y/%m/%d", "DD.MM.YY": "%d.%m.%y",
}  # fmt: skip
DECIMAL_MARKS = {"point": ".", "comma": ","}
#: what a column may hold; one signed amount, or debit and credit apart
FIELDS = ("booking_date", "value_date", "amount", "debit", "credit", "direction", "currency", "balance", "reference",
          "end_to_end_id", "counterparty", "counterparty_account", "remittance")  # fmt: skip
LONGEST_FIELD, MOST_COLUMNS, MOST_SKIPPED = 10_000, 200, 100
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,8})?|[+-]?\.[0-9]{1,8}")
#: what separates thousands: blanks of all widths, an apostrophe, and whichever mark is not the decimal one
_THOUSANDS = re.compile(r"[\s'’\u00a0\u2009\u202f]")


@dataclass(frozen=True)
class Rules:
    """How a file is read. `columns` name fields by the head of their column, or by its number from 1."""

    encoding: str
    delimiter: str
    decimal_mark: str
    date_format: str
    columns: Mapping[str, str]
    #: lines before the head
    skipped: int = 0
    #: whether the first line names the columns
    named: bool = True
    #: what stands in the column `direction` where money left, and where it came; any other word refuses its row
    debit_word: str = ""
    credit_word: str = ""
    #: whether the column `debit` writes money that left with a minus; otherwise a minus there takes a debit back
    minus_debits: bool = False

    def document(self) -> dict[str, Any]:
        return {
            "encoding": self.encoding, "delimiter": self.delimiter, "decimalMark": self.decimal_mark,
            "dateFormat": self.date_format, "columns": dict(self.columns), "skipped": self.skipped,
            "named": self.named, "debitWord": self.debit_word, "creditWord": self.credit_word,
            "minusDebits": self.minus_debits,
        }  # fmt: skip

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Rules:
        """From what was saved. Raises Invalid."""
        columns = document.get("columns")
        rules = cls(
            encoding=str(document.get("encoding", "")), delimiter=str(document.get("delimiter", "")),
            decimal_mark=str(document.get("decimalMark", "")), date_format=str(document.get("dateFormat", "")),
            columns={str(key): str(value).strip() for key, value in columns.items() if str(value).strip()}
            if isinstance(columns, Mapping) else {},
            skipped=int(document.get("skipped") or 0), named=bool(document.get("named", True)),
            debit_word=str(document.get("debitWord") or "").strip(),
            credit_word=str(document.get("creditWord") or "").strip(),
            minus_debits=bool(document.get("minusDebits", False)),
        )  # fmt: skip
        rules.check()
        return rules

    def check(self) -> None:
        """Raises Invalid with each field that breaks a rule."""
        errors = []
        for name, said, known in (
            ("encoding", self.encoding, ENCODINGS), ("delimiter", self.delimiter, DELIMITERS),
            ("decimalMark", self.decimal_mark, DECIMAL_MARKS), ("dateFormat", self.date_format, DATE_FORMATS),
        ):  # fmt: skip
            if said not in known:
                errors.append(FieldError(name, f"Choose one of: {', '.join(known)}.", "enum"))
        unknown = set(self.columns) - set(FIELDS)
        if unknown:
            errors.append(FieldError("columns", "There is no such field: " + ", ".join(sorted(unknown)[:3]), "enum"))
        if "booking_date" not in self.columns:
            errors.append(FieldError("bookingDate", "Say which column holds the booking date.", "required"))
        single, apart = "amount" in self.columns, {"debit", "credit"} & set(self.columns)
        if single and apart:
            errors.append(FieldError("amount", "Either one signed amount, or debit and credit apart.", "either"))
        elif not single and apart != {"debit", "credit"}:
            errors.append(FieldError("amount", "Say which column holds the amount, or debit and credit.", "required"))
        if "direction" in self.columns and not single:
            errors.append(FieldError("direction", "A direction goes with one amount column.", "either"))
        if "direction" in self.columns:
            errors += self._words()
        if not 0 <= self.skipped <= MOST_SKIPPED:
            errors.append(FieldError("skipped", f"Between 0 and {MOST_SKIPPED} lines.", "range"))
        if not self.named:
            for name, said in self.columns.items():
                if not said.isdigit() or not 1 <= int(said) <= MOST_COLUMNS:
                    errors.append(FieldError(camel(name), "Write the number of the column, from 1.", "number"))
        if errors:
            raise Invalid(errors)

    def _words(self) -> list[FieldError]:
        errors = [
            FieldError(name, "Say what stands in the direction column.", "required")
            for name, said in (("debitWord", self.debit_word), ("creditWord", self.credit_word)) if not said
        ]  # fmt: skip
        if not errors and self.debit_word.casefold() == self.credit_word.casefold():
            errors.append(FieldError("creditWord", "It must differ from the word of a debit.", "either"))
        return errors


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def amount_of(text: str, mark: str) -> Decimal | None:
    """An amount as banks write it: thousands separated or not, a minus on either side, brackets. None: it is none."""
    said = _THOUSANDS.sub("", text).replace("−", "-")
    if said.startswith("(") and said.endswith(")"):
        said = "-" + said[1:-1]
    if said.endswith(("-", "+")):
        said = said[-1] + said[:-1]
    if mark == ",":
        if said.count(",") > 1:
            return None
        whole, _, decimals = said.partition(",")
        if not _grouped(whole, "."):
            return None
        said = whole.replace(".", "") + ("." + decimals if decimals else "")
    else:
        whole, _, decimals = said.partition(".")
        if not _grouped(whole, ","):
            return None
        said = whole.replace(",", "") + ("." + decimals if decimals else "")
    return Decimal(said) if _NUMBER.fullmatch(said) else None


def _grouped(whole: str, separator: str) -> bool:
    """Thousands in groups of three, or not separated at all: 1.23 with a decimal comma is a wrong mapping, not 123."""
    if separator not in whole:
        return True
    first, *groups = whole.lstrip("+-").split(separator)
    return 1 <= len(first) <= 3 and all(len(group) == 3 for group in groups)


@dataclass
class _Day:
    """Rows of a day on their way."""

    day: date
    #: amount and balance of the first and the last row
    first: tuple[Decimal, Decimal | None] | None = None
    last: tuple[Decimal, Decimal | None] | None = None
    number: int = 0
    #: whether balances of neighbours agree reading downwards, and upwards
    downwards: bool = True
    upwards: bool = True


def items(path: Path, rules: Rules, *, account: str, currency: str) -> Iterator[Item]:
    """The statements of a file, one a day. Raises Unreadable, also in the midst of it."""
    place, current, ascending = 0, None, None
    for line, row, said in rows(path, rules):
        where = f"line {line}"
        if isinstance(row, str):
            yield Refused(where, row)
            continue
        day = row.day
        if current is None or day != current.day:
            if current is not None:
                up = day > current.day
                if ascending is not None and up != ascending:
                    raise Unreadable(f"The rows do not stand in the order of their days (line {line}).")
                ascending = up
                yield _ended(current, currency)
            place += 1
            current = _Day(day)
            yield Head(place, StatementKind.STATEMENT.value, account, currency, first_day=day, last_day=day)
        told = (row.currency or currency).lower()
        if told != currency:
            yield Refused(where, f"The row is in {told[:3].upper()}, the account in {currency.upper()}.", row.reference)
            continue
        current.number += 1
        _follow(current, row.amount, row.balance)
        yield Entry(
            number=current.number, where=where, amount=row.amount, currency=currency,
            status=EntryStatus.BOOKED.value, booking_date=day, value_date=row.value_date,
            bank_reference=row.reference, certain=row.reference is not None,
            details=(
                Detail(
                    end_to_end_id=reference(said.get("end_to_end_id")), provider_reference=row.reference,
                    references=tuple(dict.fromkeys(
                        each for each in (row.reference, reference(said.get("end_to_end_id"))) if each
                    )),
                    counterparty=cleaned(said.get("counterparty"), 200),
                    counterparty_account=account_number(said.get("counterparty_account")),
                    remittance=cleaned(said.get("remittance")),
                ),
            ),
        )  # fmt: skip
    if current is not None:
        yield _ended(current, currency)


def _follow(current: _Day, amount: Decimal, balance: Decimal | None) -> None:
    if current.last is not None:
        before_amount, before = current.last
        if balance is None or before is None:
            current.downwards = current.upwards = False
        else:
            current.downwards &= before + amount == balance
            current.upwards &= balance + before_amount == before
    current.first = current.first or (amount, balance)
    current.last = (amount, balance)


def _ended(current: _Day, currency: str) -> End:
    if current.first is None or current.last is None:
        return End()
    (first_amount, first), (last_amount, last) = current.first, current.last
    if first is None or last is None:
        return End()
    if current.downwards:
        opening, closing = first - first_amount, last
    elif current.upwards:
        opening, closing = last - last_amount, first
    else:
        return End((), ("The balances of the rows do not follow one another.",))
    return End((Balance("OPBD", opening, currency, current.day), Balance("CLBD", closing, currency, current.day)))


@dataclass(frozen=True, slots=True)
class Row:
    day: date
    amount: Decimal
    value_date: date | None
    currency: str | None
    balance: Decimal | None
    reference: str | None


def rows(path: Path, rules: Rules) -> Iterator[tuple[int, Row | str, dict[str, str]]]:
    """Line, what it means or why it means nothing, and its texts by field. Raises Unreadable."""
    csv.field_size_limit(LONGEST_FIELD)
    try:
        with path.open(encoding=ENCODINGS[rules.encoding], newline="") as file:
            for _ in range(rules.skipped):
                file.readline(LONGEST_FIELD)
            reader = csv.reader(_without_nul(file), delimiter=DELIMITERS[rules.delimiter], strict=True)
            places = _places(next(reader, []), rules) if rules.named else _numbered(rules)
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                said = {name: cells[at].strip() for name, at in places.items() if at < len(cells)}
                yield reader.line_num + rules.skipped, _row(said, rules, len(cells), places), said
    except UnicodeError:
        raise Unreadable(f"The file is not in {rules.encoding}. Choose another encoding in its mapping.") from None
    except csv.Error as error:
        raise Unreadable(f"The file is no such CSV: {error}.") from None


def _without_nul(file: Iterator[str]) -> Iterator[str]:
    for line in file:
        if "\x00" in line:
            raise Unreadable("The file holds a NUL, so it is no CSV file, or in another encoding.")
        yield line


def _places(head: list[str], rules: Rules) -> dict[str, int]:
    names = {" ".join(cell.split()).casefold(): at for at, cell in reversed(list(enumerate(head[:MOST_COLUMNS])))}
    places = {}
    for name, said in rules.columns.items():
        key = " ".join(said.split()).casefold()
        if key in names:
            places[name] = names[key]
        elif said.isdigit() and 1 <= int(said) <= len(head):
            places[name] = int(said) - 1
        else:
            raise Unreadable(f"The file has no column “{said[:60]}”. Its first line is not the one of the mapping.")
    return places


def _numbered(rules: Rules) -> dict[str, int]:
    return {name: int(said) - 1 for name, said in rules.columns.items()}


def _row(said: dict[str, str], rules: Rules, count: int, places: Mapping[str, int]) -> Row | str:
    if count <= max(places.values()):
        return f"The row has {count} columns, the mapping needs {max(places.values()) + 1}."
    day = _date(said["booking_date"], rules)
    if day is None:
        return f"The booking date is no date in the format {rules.date_format}."
    mark = DECIMAL_MARKS[rules.decimal_mark]
    amount = _amount(said, rules, mark)
    if isinstance(amount, str):
        return amount
    value, balance = None, None
    if said.get("value_date"):
        value = _date(said["value_date"], rules)
        if value is None:
            return f"The value date is no date in the format {rules.date_format}."
    if said.get("balance"):
        balance = amount_of(said["balance"], mark)
        if balance is None:
            return "The balance is no number."
    currency = said.get("currency") or None
    return Row(day, amount, value, currency, balance, reference(said.get("reference")))


def _amount(said: dict[str, str], rules: Rules, mark: str) -> Decimal | str:
    if "amount" in said:
        amount = amount_of(said["amount"], mark)
        if amount is None:
            return "The amount is no number."
        if "direction" in said:
            return _directed(amount, said["direction"].casefold(), rules)
        return amount
    debit, credit = said.get("debit", ""), said.get("credit", "")
    found = []
    # a minus takes the booking back, unless the bank writes all debits so
    for text, sign in ((debit, 1 if rules.minus_debits else -1), (credit, 1)):
        if text:
            amount = amount_of(text, mark)
            if amount is None:
                return "Debit or credit is no number."
            if amount:
                found.append(sign * amount)
    if len(found) != 1:
        return "The row has an amount in both columns, debit and credit." if found else "The row has no amount."
    return found[0]


def _directed(amount: Decimal, word: str, rules: Rules) -> Decimal | str:
    if amount < 0:
        # two signs: whether they agree or cancel each other is not for us to guess
        return "The amount has a minus beside a direction. Where the amount carries its sign, map it alone."
    if word == rules.debit_word.casefold():
        return -amount
    if word == rules.credit_word.casefold():
        return amount
    return "The direction is neither the word of a debit nor that of a credit."


def _date(text: str, rules: Rules) -> date | None:
    # a time of day may follow
    said = text.strip().split("T")[0].split(" ")[0]
    try:
        found = datetime.strptime(said, DATE_FORMATS[rules.date_format]).date()  # noqa: DTZ007 a plain date
    except ValueError:
        return None
    return found if found.year >= 1970 else None
