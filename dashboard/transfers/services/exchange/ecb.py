"""The daily reference rates of the European Central Bank, as it publishes them: eurofxref-daily.xml, and the same
format with the last ninety days or all of history."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from lxml import etree

from dashboard.errors import Invalid
from dashboard.money import DECIMALS

SOURCE = "ecb"
BASE = "eur"
#: all of history has about 8 MB
LARGEST_FILE = 16 * 1024 * 1024
#: the rates are published around 16:00 Central European time
_FIXED_AT, _ZONE = time(16, 0), ZoneInfo("Europe/Berlin")
_CUBE = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube"
_ENVELOPE = "{http://www.gesmes.org/xml/2002-08-01}Envelope"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,10})?")
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True)
class Fixing:
    """One euro costs `rate` of `currency`, as of a moment."""

    currency: str
    rate: Decimal
    as_of: datetime


def fixed_at(day: date) -> datetime:
    """The moment of a day's fixing, in UTC."""
    return datetime.combine(day, _FIXED_AT, _ZONE).astimezone(UTC)


def read(content: bytes) -> list[Fixing]:
    """The fixings of a file, of currencies that are known here. Raises Invalid (field `file`), saying what is wrong.

    A file is taken as a whole or not at all: one odd rate, and nothing of it counts.
    """
    if not content.strip():
        raise _odd("The file is empty.", "empty")
    if len(content) > LARGEST_FILE:
        raise _odd(f"The file is larger than {LARGEST_FILE // 1024**2} MB.", "size")
    root = _root(content)
    days = [cube for cube in root.iter(_CUBE) if "time" in cube.attrib]
    if not days:
        raise _odd("The file names no day: there is no Cube with a time.", "noDay")
    found: dict[tuple[str, date], Fixing] = {}
    for cube in days:
        for fixing, day in _of_day(cube):
            if (fixing.currency, day) in found:
                raise _odd(f"{fixing.currency.upper()} stands twice on {day}.", "duplicate")
            found[fixing.currency, day] = fixing
    if not found:
        raise _odd("The file has no rate of a currency that is known here.", "noRate")
    return list(found.values())


def _odd(sentence: str, rule: str) -> Invalid:
    return Invalid.one("file", sentence, rule)


def _root(content: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise _odd(f"This is no well-formed XML (line {error.lineno}).", "xml") from None
    except ValueError:
        raise _odd("This is no XML.", "xml") from None
    # with a document type come entities, and with them files and floods
    if root.getroottree().docinfo.doctype:  # type: ignore[union-attr]
        raise _odd("A file with a document type is not read.", "doctype")
    if root.tag != _ENVELOPE:
        raise _odd("This is no file of reference rates of the European Central Bank.", "format")
    return root


def _of_day(cube: etree._Element) -> Iterator[tuple[Fixing, date]]:
    text = str(cube.get("time"))
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise _odd("A day is not written as 2026-11-20.", "day")
    if day.year < 1999:
        raise _odd(f"{day}: there was no euro yet.", "day")
    for rate in cube.iterchildren(_CUBE):
        currency, number = str(rate.get("currency", "")), str(rate.get("rate", ""))
        if not _CURRENCY.fullmatch(currency):
            raise _odd(f"A rate of {day} names no currency.", "currency")
        if currency.lower() not in DECIMALS:
            continue
        if currency.lower() == BASE:
            raise _odd(f"{day}: the euro is what rates are of, not a rate.", "currency")
        yield Fixing(currency.lower(), _number(number, currency, day), fixed_at(day)), day


def _number(text: str, currency: str, day: date) -> Decimal:
    try:
        number = Decimal(text) if _RATE.fullmatch(text) else None
    except InvalidOperation:
        number = None
    if number is None or number <= 0:
        raise _odd(f"The rate of {currency} on {day} is no positive number.", "rate")
    return number
