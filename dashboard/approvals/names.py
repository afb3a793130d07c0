"""Names of those who ask and decide, as one reader reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from dashboard.access.permissions import ROLES, Role
from dashboard.staff.queries import Person

#: names shown of each role
NAMES_SHOWN = 4


def named(kind: str, name: str, role: str = "") -> str:
    """`R. Kask`; `token command line`, `system token command line`: a machine is never taken for a person."""
    return f"{role} token {name}".strip() if kind == "token" else name


def people_in_words(people: Iterable[Person], reader_id: UUID | None = None) -> str:
    """Senior officers: R. Kask (signed in), T. Mets; officers: you."""
    by_role: dict[str, list[str]] = {}
    for person in sorted(people, key=lambda person: person.id != reader_id):
        name = "you" if person.id == reader_id else f"{person.name} (signed in)" if person.signed_in else person.name
        by_role.setdefault(person.role, []).append(name)
    if not by_role:
        return "Nobody: there is no second person with this right"
    groups = []
    for role in sorted(by_role, key=lambda r: (not ROLES[Role(r)].senior, r)):
        names = by_role[role]
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        groups.append(f"{ROLES[Role(role)].plural}: {', '.join(names[:NAMES_SHOWN])}{more}")
    return "; ".join([groups[0], *(group[:1].lower() + group[1:] for group in groups[1:])])


def roles_in_words(roles: Sequence[Role]) -> str:
    """officers, senior officers and administrators"""
    names = [ROLES[role].plural[:1].lower() + ROLES[role].plural[1:] for role in roles] or ["nobody"]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
