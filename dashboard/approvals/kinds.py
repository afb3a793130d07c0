"""What a domain tells about one kind of request, and where `app.py` registers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals.models import ApprovalRequest


class Line(NamedTuple):
    """One line that is read back; an instant among the parts is shown in the institution's zone."""

    label: str
    parts: tuple[str | datetime, ...]


class Link(NamedTuple):
    """Where what a request is about is to be seen."""

    label: str
    url: str


@dataclass(frozen=True)
class Detail:
    """What exactly a request is about, as one reader may see it. `short` fits a row: "debit block · Fraud".

    `links`: what it is about first; an approved request leads there.
    """

    short: str
    lines: tuple[Line, ...]
    links: tuple[Link, ...] = ()


#: before and after, as a request stores them
Outcome = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """`fingerprint` locks the object and gives the fields that must not have changed since the request.

    `execute` is the verb; it runs in the deciding transaction with the decider as actor. `label` is said before
    the subject, or around it where an ellipsis stands: "Unblock Ilves OÜ", "Activate Ilves OÜ by hand". `done` is
    said before the subject afterwards: "Unblocked Ilves OÜ". `noun` stands before "requested" and "request
    approved"; without one it is "Request".

    The optional ones read and lock nothing, for all requests of a list at once. `outcomes`: what approving would
    change now, or did change; a request left out is as it was stored. `details`: what it is about, for this reader.
    `closed`: the sentence after it was closed, where "Unblocked Ilves OÜ" would say too much.

    `hidden`: that such a request exists would tell a restricted reason: without `clients:read-restricted` there is
    none, on no page, in no figure and in no timeline.

    `closed_without` undoes what asking reserved; it runs in the transaction that closes a request in any other way
    than approved, with object and request locked.

    `touched_by`: actions of the audit that change what the fingerprint looks at, and what they did, in words ("blocked
    the client"): only these are named when a request has gone stale. Empty: any action about the client is.
    `touched_unseen`: more of them, told to readers with `clients:read-restricted` alone.

    `asked_with`: what whoever asks needs, where it is another permission than to decide. Who lost it asks no more.

    `bulk_safe`: many may be decided at once. Never of what moves or frees money, lifts a block or lowers a risk.
    `above`: the amounts, in words, above which the act needs two people, read anew each time; without it, it always
    does.
    """

    key: str
    label: str
    permission: Permission
    fingerprint: Callable[[ApprovalRequest], dict[str, Any]]
    execute: Callable[[ApprovalRequest, Actor], None]
    done: str = "Approved:"
    noun: str = ""
    outcomes: Callable[[Sequence[ApprovalRequest]], dict[UUID, Outcome]] | None = None
    details: Callable[[Sequence[ApprovalRequest], Actor], dict[UUID, Detail]] | None = None
    closed: Callable[[ApprovalRequest], str | None] | None = None
    closed_without: Callable[[ApprovalRequest, Actor], None] | None = None
    hidden: bool = False
    touched_by: Mapping[str, str] = field(default_factory=dict)
    touched_unseen: Mapping[str, str] = field(default_factory=dict)
    bulk_safe: bool = False
    above: Callable[[], Sequence[str]] | None = None
    asked_with: Permission | None = None

    def roles(self) -> tuple[Role, ...]:
        """Whose roles let them decide, juniors first; a rule may leave some of them out (`terms`)."""
        needed = {self.permission} | ({Permission.CLIENTS_READ_RESTRICTED} if self.hidden else set())
        return tuple(role for role, row in ROLES.items() if needed <= row.permissions)

    def asking_roles(self) -> tuple[Role, ...]:
        """Whose roles let them ask, juniors first."""
        needed = {self.permission, self.asked_with or self.permission}
        return tuple(role for role, row in ROLES.items() if needed <= row.permissions)

    def named(self) -> str:
        """Unblock …; Activate … by hand; Change the rule"""
        if "…" in self.label:
            return self.label
        return self.label.removesuffix(":") if self.label.endswith(":") else f"{self.label} …"

    def about(self, subject: str) -> str:
        """What is asked, in words."""
        return self.label.replace("…", subject) if "…" in self.label else f"{self.label} {subject}"

    def said(self, what: str) -> str:
        """`Unblock requested`, `Unblock request approved`; `Requested`, `Request approved` without a noun."""
        if self.noun:
            return f"{self.noun} {what}"
        return what[:1].upper() + what[1:]


def stale_because(what: str) -> Callable[[ApprovalRequest], str | None]:
    """For `Kind.closed`, where approving and the others need no words of their own: what made a request stale."""

    def closed(request: ApprovalRequest) -> str | None:
        if request.state != "stale":
            return None
        return f"This request has gone stale: {what} meanwhile. Nothing was changed by it."

    return closed


_kinds: dict[str, Kind] = {}


def register(*kinds: Kind) -> None:
    """Called once, by app.py. Registering the same key again replaces it (a second app in one process)."""
    for kind in kinds:
        _kinds[kind.key] = kind


def kind_of(key: str) -> Kind:
    """Raises KeyError for a kind that nobody registered: a programming error."""
    return _kinds[key]


def hidden_from(actor: Actor) -> list[str]:
    """Keys of the kinds that this reader knows nothing of. Who may not open clients knows of what they may decide
    alone: a request names the client that it is about."""
    return [
        kind.key
        for kind in _kinds.values()
        if (kind.hidden and not actor.sees_restricted)
        or not (actor.may(Permission.CLIENTS_READ) or actor.may(kind.permission))
    ]


def registered() -> list[Kind]:
    """All kinds, in the order of registration."""
    return list(_kinds.values())
