"""What the page of rules shows: every kind of request in words, and the amounts that higher packages keep as data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Role
from dashboard.approvals import queries, ruling, terms
from dashboard.approvals.kinds import Kind, hidden_from, registered
from dashboard.approvals.models import ApprovalRequest, ApprovalRule
from dashboard.approvals.names import named, roles_in_words
from dashboard.approvals.terms import Terms
from dashboard.database import session
from dashboard.staff import queries as staff

#: changes that are shown together, at most
LATELY = 20


class Made(NamedTuple):
    """Who put a version in force, and when."""

    at: datetime
    asked_by: str
    decided_by: str
    url: str


@dataclass(frozen=True)
class KindRow:
    """One kind of request, as everybody reads it. `above`: amounts; empty where two people are always needed.

    `left_out`: roles whose permission would let them decide and the rule does not. `nobody`: nobody senior is active
    among those who decide. `made`: None as it was installed.
    """

    key: str
    what: str
    above: tuple[str, ...]
    asks: str
    decides: str
    left_out: str
    nobody: bool
    hours: str
    bulk_safe: bool
    made: Made | None


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


def _request_url(approval_id: UUID) -> str:
    return f"/approvals/{approval_id}"


def _turned() -> list[Changed]:
    """The newest changes of how requests are decided, in words; only what differs."""
    rows = session().scalars(
        sa.select(ApprovalRequest)
        .join(ApprovalRule, ApprovalRule.approval_id == ApprovalRequest.id)
        .order_by(ApprovalRequest.closed_at.desc())
        .limit(LATELY)
    )
    found = []
    for request in rows:
        before, after = ruling.outcomes([request])[request.id]
        found.append(
            Changed(
                request.closed_at or request.requested_at,
                request.subject,
                "; ".join(f"{label} {value}" for label, value in before.items()),
                "; ".join(f"{label} {value}" for label, value in after.items()),
                _request_url(request.id),
            )
        )
    return found


def changes() -> list[Changed]:
    """The newest first."""
    found = [*_turned(), *(each for tell in _changes for each in tell())]
    return sorted(found, key=lambda each: each.at, reverse=True)[:LATELY]


def _sentence(roles: Sequence[Role]) -> str:
    """Officers and senior officers, juniors first."""
    words = roles_in_words(roles)
    return words[:1].upper() + words[1:]


def choices(reader: Actor) -> list[tuple[str, str]]:
    """Key and name of the kinds of which this reader may see requests, by name."""
    hidden = hidden_from(reader)
    known = ((kind.key, kind.named()) for kind in registered() if kind.key not in hidden)
    return sorted(known, key=lambda pair: pair[1].lower())


def _made(request: ApprovalRequest | None) -> Made | None:
    if request is None or request.closed_at is None:
        return None
    asked_by = named(request.maker_kind, request.maker_name)
    return Made(request.closed_at, asked_by, request.decider_name or "", _request_url(request.id))


def _kind_row(kind: Kind, rule: Terms, request: ApprovalRequest | None, at_work: Collection[str]) -> KindRow:
    decide = rule.roles(kind)
    left_out = [role for role in kind.roles() if role not in decide]
    return KindRow(
        key=kind.key,
        what=kind.named(),
        above=tuple(kind.above()) if kind.above is not None else (),
        asks=_sentence(kind.asking_roles()),
        decides=_sentence(decide),
        left_out=roles_in_words(left_out) if left_out else "",
        nobody=bool(left_out) and not any(ROLES[role].senior and role in at_work for role in decide),
        hours=ruling.hours_in_words(rule.business_hours),
        bulk_safe=kind.bulk_safe,
        made=_made(request),
    )


def kinds() -> list[KindRow]:
    """All kinds, by name: that there is such a rule tells nothing of any client."""
    rules = terms.standing()
    requests = queries.by_ids(rule.approval_id for rule in rules.values())
    at_work = staff.roles_at_work()
    found = []
    for kind in registered():
        rule = rules.get(kind.key, terms.AS_INSTALLED)
        request = requests.get(rule.approval_id) if rule.approval_id else None
        found.append(_kind_row(kind, rule, request, at_work))
    return sorted(found, key=lambda row: row.what.lower())


class Version(NamedTuple):
    """One version of a kind's rule in words; `made` is None for the one that was installed."""

    number: int
    hours: str
    decides: str
    made: Made | None


def versions(kind: Kind) -> tuple[KindRow, list[Version]]:
    """How a kind is decided now, and all versions of that, the newest first."""
    past = [*terms.versions(kind.key), terms.AS_INSTALLED]
    requests = queries.by_ids(rule.approval_id for rule in past)
    told = [
        Version(
            rule.version,
            ruling.hours_in_words(rule.hours),
            ruling.deciders_in_words(kind, rule.deciders),
            _made(requests.get(rule.approval_id) if rule.approval_id else None),
        )
        for rule in past
    ]
    newest = requests.get(past[0].approval_id) if past[0].approval_id else None
    return _kind_row(kind, past[0], newest, staff.roles_at_work()), told
