"""Reading XML from outside: one pass, no entities, no document type, elements known by their local names.

Banks use many versions of one message; their namespaces differ, their local names hardly do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from lxml import etree

from dashboard import clock

#: deepest nesting and longest text that any of these messages needs, by far
DEEPEST = 60
LONGEST_TEXT = 10_000
_FORMAT = re.compile(r"((?:pain|camt)\.\d{3})\.\d{3}\.\d{2}")
#: message roots of files that do not name their format in the namespace
_ROOTS = {
    "CstmrPmtStsRpt": "pain.002",
    "BkToCstmrDbtCdtNtfctn": "camt.054",
    "BkToCstmrStmt": "camt.053",
    "BkToCstmrAcctRpt": "camt.052",
    "CstmrCdtTrfInitn": "pain.001",
}


class Unreadable(Exception):
    """The file is no message that is read here. The text says why, without personal data."""


def local(element: etree._Element) -> str:
    """The name without its namespace; empty for comments and the like."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def child(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first element at the end of a path of local names."""
    for name in path:
        if element is None:
            return None
        element = next((each for each in element if local(each) == name), None)
    return element


def children(element: etree._Element | None, name: str) -> list[etree._Element]:
    return [] if element is None else [each for each in element if local(each) == name]


def text(element: etree._Element | None, *path: str) -> str | None:
    """Trimmed text at the end of the path; None where there is none."""
    found = child(element, *path)
    if found is None or found.text is None:
        return None
    return " ".join(found.text.split())[:LONGEST_TEXT] or None


def moment(element: etree._Element | None, zone: ZoneInfo | None = None) -> datetime | None:
    """Of a Dt, a DtTm, or plain text: a day begins at midnight of the house, a time without a zone is the house's."""
    said = text(element, "DtTm") or text(element, "Dt") or text(element)
    if said is None:
        return None
    home = zone or clock.calendar().zone
    try:
        if "T" in said:
            read = datetime.fromisoformat(said)
            return read if read.tzinfo else read.replace(tzinfo=home)
        # xs:date may end with a zone, which says nothing about the day itself
        return datetime.combine(date.fromisoformat(said[:10]), time(), home)
    except ValueError:
        return None


def day(element: etree._Element | None) -> date | None:
    """The day as it stands there, in whatever zone it was written."""
    said = text(element, "Dt") or text(element, "DtTm") or text(element)
    try:
        return date.fromisoformat(said[:10]) if said else None
    except ValueError:
        return None


def walk(path: Path, ends: frozenset[str]) -> Iterator[tuple[str, etree._Element]]:
    """Elements of these names when they are complete, and the root's first child when it begins (as `root`).

    What is complete and was not asked for stays until an enclosing asked-for element is dropped: `drop` it.
    Raises Unreadable.
    """
    depth = 0
    try:
        context = etree.iterparse(
            str(path), events=("start", "end"), resolve_entities=False, load_dtd=False, no_network=True,
            huge_tree=False, remove_comments=True, remove_pis=True,
        )  # fmt: skip
        for event, element in context:
            if event == "start":
                depth += 1
                if depth == 1 and element.getroottree().docinfo.doctype:
                    raise Unreadable("A document type is not allowed.")
                if depth > DEEPEST:
                    raise Unreadable("The elements are nested too deeply.")
                if depth == 2:
                    yield "root", element
                continue
            depth -= 1
            if isinstance(element, etree._Entity):
                raise Unreadable("Entities are not allowed.")
            if local(element) in ends:
                yield local(element), element
    except etree.XMLSyntaxError as error:
        line = f" (line {error.lineno})" if error.lineno else ""
        raise Unreadable(f"This is no well-formed XML{line}.") from None


def drop(element: etree._Element) -> None:
    """Forget a complete element and those of its kind right before it, so that memory stays constant."""
    parent = element.getparent()
    element.clear()
    while parent is not None and (before := element.getprevious()) is not None and before.tag == element.tag:
        parent.remove(before)


def written(element: etree._Element) -> str:
    """The element as it stands in the file."""
    return etree.tostring(element, encoding="unicode", with_tail=False)


def format_of(path: Path) -> str:
    """pain.002, camt.053, camt.054 … of a file. Raises Unreadable."""
    for _, element in walk(path, frozenset()):
        namespace = etree.QName(element).namespace or ""
        found = _FORMAT.search(namespace)
        if found:
            return found[1]
        if local(element) in _ROOTS:
            return _ROOTS[local(element)]
        break
    raise Unreadable("This is no ISO 20022 message that is known here.")
