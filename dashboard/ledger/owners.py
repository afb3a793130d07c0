"""What the ledger asks of whoever knows the owners. `app.py` connects the two: the ledger knows ids only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class OwnerView:
    """How a page names an owner, and where it links."""

    name: str
    url: str


@dataclass(frozen=True)
class Directory:
    """`named`: views of owners by id, one query for all. `email`: where messages for the owner go; None without.
    `matching`: ids of owners whose name matches a text, best first, at most so many."""

    named: Callable[[Iterable[UUID]], dict[UUID, OwnerView]]
    email: Callable[[UUID], str | None]
    matching: Callable[[str, int], list[UUID]]


_current: list[Directory] = []


def install(directory: Directory) -> None:
    """Called once, by app.py."""
    _current[:] = [directory]


def directory() -> Directory:
    """Raises IndexError before `install`: a programming error."""
    return _current[0]
