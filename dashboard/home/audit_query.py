"""The query string of the audit: filters and cursor stand in the URL, and only what is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from urllib.parse import urlencode
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.models import ApiToken
from dashboard.audit import searching
from dashboard.audit.searching import EventFilter, Reader
from dashboard.clock import calendar
from dashboard.database import session
from dashboard.ledger.forms.transaction_list import MOST_MATCHES, FilterError, Reading
from dashboard.ledger.queries import parties
from dashboard.staff.models import StaffMember

LONGEST_NAME = 200
KINDS = [("", "Anybody"), ("staff", "Staff"), ("token", "API tokens"), ("system", "The system")]
LABELS = {
    "kind": "By", "who": "Who", "action": "Action", "type": "Object", "object": "Object's identifier",
    "client": "Client", "from": "From", "to": "To",
}  # fmt: skip


def in_words(name: str) -> str:
    """client.blocked becomes Client blocked."""
    words = name.replace(".", " ").replace("_", " ")
    return words[:1].upper() + words[1:]


def _choices(values: list[str], chosen: str | None) -> list[tuple[str, str]]:
    """What there is, and what is asked for: a shared address still says what it filters."""
    known = sorted({*values, chosen} if chosen else set(values))
    return [("", "Any"), *((value, in_words(value)) for value in known)]


@dataclass
class AuditQuery:
    """What the address asks for. `values` are the filters as typed; with `errors` nothing is listed."""

    values: dict[str, str]
    chosen: EventFilter
    cursor: str | None
    actions: list[tuple[str, str]]
    types: list[tuple[str, str]]
    errors: list[FilterError] = field(default_factory=list)

    @property
    def bound(self) -> object:
        """What a cursor of this list is bound to."""
        return ["audit", sorted(self.values.items())]

    @property
    def set_count(self) -> int:
        return len(self.values)

    @property
    def wrong(self) -> dict[str, str]:
        """What is wrong with a filter, by its name."""
        return {error.name: error.message for error in self.errors}

    def query(self, *, cursor: str | None = None) -> str:
        """The query string, `?` included; empty for the plain list."""
        pairs = {**self.values, **({"cursor": cursor} if cursor else {})}
        return f"?{urlencode(pairs)}" if pairs else ""

    def in_words(self) -> list[tuple[str, str]]:
        """The filters as an export names them."""
        known = {"kind": dict(KINDS), "action": dict(self.actions), "type": dict(self.types)}
        return [(LABELS[name], known.get(name, {}).get(value, value)) for name, value in self.values.items()]

    @classmethod
    def read(cls, args: Mapping[str, str], *, reader: Reader) -> AuditQuery:
        """From the query string. What it cannot mean becomes an error with the filter's name."""
        values = {name: args[name].strip() for name in LABELS if args.get(name, "").strip()}
        reading = _Reading(values, reader)
        chosen = reading.filter()
        return cls(
            values=values,
            chosen=chosen,
            cursor=args.get("cursor") or None,
            actions=_choices(searching.actions(), chosen.action),
            types=_choices(searching.object_types(), chosen.object_type),
            errors=reading.errors,
        )


def _named(text: str, *, reader: Reader, limit: int) -> list[UUID]:
    """Staff and tokens whose name or address holds the text."""
    people = sa.select(StaffMember.id).where(
        sa.or_(StaffMember.name.icontains(text, autoescape=True), StaffMember.email.icontains(text, autoescape=True))
    )
    machines = sa.select(ApiToken.id).where(ApiToken.name.icontains(text, autoescape=True))
    if not reader.of_clients:
        machines = machines.where(ApiToken.client_id.is_(None))
    return list(session().scalars(people.union_all(machines).limit(limit)))


class _Reading(Reading):
    def __init__(self, values: dict[str, str], reader: Reader) -> None:
        super().__init__(values, LABELS)
        self.reader = reader

    def identifier(self, name: str) -> UUID | None:
        value = self.values.get(name)
        found = parties.as_uuid(value) if value else None
        if value and found is None:
            self.wrong(name, "Write the whole identifier.")
        return found

    def who(self) -> tuple[tuple[UUID, ...] | None, str | None]:
        """Identifiers of staff and tokens; or the name of a part of the house where nobody is called so."""
        typed = self.short("who", LONGEST_NAME)
        if typed is None:
            return None, None
        identifier = parties.as_uuid(typed)
        if identifier is not None:
            return (identifier,), None
        found = _named(typed, reader=self.reader, limit=MOST_MATCHES + 1)
        if len(found) > MOST_MATCHES:
            self.wrong("who", f"More than {MOST_MATCHES} people and tokens match. Write more of the name.")
        return (tuple(found), None) if found else (None, typed)

    def of_clients(self) -> tuple[UUID, ...] | None:
        if self.reader.of_clients:
            return self.owners()
        found = self.identifier("client")
        return (found,) if found else None

    def period(self) -> tuple[datetime | None, datetime | None]:
        """The first moment of the first day, and the first after the last."""
        first, last = self.day("from"), self.day("to")
        if first and last and first > last:
            self.wrong("to", "This lies before the first day.")
        zone = calendar().zone
        return (
            datetime.combine(first, time(), zone) if first else None,
            datetime.combine(last + timedelta(days=1), time(), zone) if last else None,
        )

    def filter(self) -> EventFilter:
        kind, object_id = self.known("kind", KINDS), self.identifier("object")
        action, object_type = self.short("action", LONGEST_NAME), self.short("type", LONGEST_NAME)
        start, end = self.period()
        actors = system_name = clients = None
        # what costs a query is looked up last, and only for filters that are right
        if not self.errors:
            actors, system_name = self.who()
            clients = self.of_clients()
        return EventFilter(
            kind=kind,
            actors=actors,
            system_name=system_name,
            action=action,
            object_type=object_type,
            object_id=object_id,
            clients=clients,
            since=start,
            before=end,
        )
