"""What the page of rules shows: every kind of request in words, and the amounts that higher packages keep as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Permission
from dashboard.approvals.kinds import hidden_from, registered


@dataclass(frozen=True)
class KindRow:
    """One kind of request, as everybody reads it. `above`: amounts; empty where two people are always needed."""

    what: str
    above: tuple[str, ...]
    who: str
    bulk_safe: bool


class Row(NamedTuple):
    """One rule as it stands: its name, its columns in words, where to ask for another, the request that made it."""

    name: str
    values: tuple[str, ...]
    ask_url: str
    approval_url: str | None


class Choice(NamedTuple):
    label: str
    url: str
    current: bool


@dataclass(frozen=True)
class Section:
    """Rules of one sort. `choices` narrow it; `new`: (label, address of a form that takes `key`) for one more."""

    key: str
    title: str
    about: str
    columns: tuple[str, ...]
    rows: Sequence[Row]
    choices: Sequence[Choice] = ()
    new: tuple[str, str] | None = None


class Changed(NamedTuple):
    """A version that followed another."""

    at: datetime
    what: str
    before: str
    after: str
    approval_url: str


#: gives a section for the arguments of the address
Shows = Callable[[Mapping[str, str]], Section]
_sections: dict[str, Shows] = {}
_changes: list[Callable[[], Sequence[Changed]]] = []


def learn(sections: Mapping[str, Shows], changes: Callable[[], Sequence[Changed]]) -> None:
    """Take the rules of a higher package; called once by the application factory."""
    _sections.update(sections)
    _changes[:] = [changes]


def sections() -> list[Shows]:
    """In the order in which they were learnt."""
    return list(_sections.values())


def changes() -> list[Changed]:
    """The newest first."""
    return [each for tell in _changes for each in tell()]


def who(permission: Permission) -> str:
    """Officers and senior officers: whose roles have the permission, juniors first."""
    names = [row.plural for row in ROLES.values() if permission in row.permissions]
    words = [names[0], *(name[:1].lower() + name[1:] for name in names[1:])] if names else ["Nobody"]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def _named(label: str) -> str:
    """Unblock …; Activate … by hand; Change the rule"""
    return label if "…" in label else label.removesuffix(":") if label.endswith(":") else f"{label} …"


def choices(reader: Actor) -> list[tuple[str, str]]:
    """Key and name of the kinds of which this reader may see requests, by name."""
    hidden = hidden_from(reader)
    named = ((kind.key, _named(kind.label)) for kind in registered() if kind.key not in hidden)
    return sorted(named, key=lambda pair: pair[1].lower())


def kinds() -> list[KindRow]:
    """All kinds, by name: that there is such a rule tells nothing of any client."""
    found = [
        KindRow(
            what=_named(kind.label),
            above=tuple(kind.above()) if kind.above is not None else (),
            who=who(kind.permission),
            bulk_safe=kind.bulk_safe,
        )
        for kind in registered()
    ]
    return sorted(found, key=lambda row: row.what.lower())
