"""The list's query string: filters, sort and cursor. Everything stands in the URL, and only what is set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from urllib.parse import urlencode

from dashboard.clients import countries
from dashboard.clients.search import LONGEST_TEXT, ClientFilter, Order
from dashboard.clients.vocabulary import FLAGS, RESTRICTED_FLAGS, ClientType, FlagCode, Risk, Severity, Status

STATUSES = [("", "Any"), *((s.value, s.value.capitalize()) for s in Status)]
TYPES = [("", "Any"), (ClientType.INDIVIDUAL.value, "Person"), (ClientType.COMPANY.value, "Company")]
RISKS = [("", "Any"), *((str(r.value), r.label) for r in Risk)]
SEVERITIES = {"stop": Severity.STOP, "check": Severity.CHECK, "info": Severity.INFO}
FLAG_CHOICES = [
    ("", "Any"),
    ("check", "To review"),
    ("stop", "Stop"),
    ("info", "Any flag"),
    *((code.value, label) for code, (_, label) in FLAGS.items()),
]
#: for readers without `clients:read-restricted`
OPEN_FLAG_CHOICES = [choice for choice in FLAG_CHOICES if choice[0] not in RESTRICTED_FLAGS]
LABELS = {
    "text": "Text", "status": "Status", "type": "Type", "risk": "Risk", "country": "Country", "flag": "Flag",
    "created_from": "Created from", "created_to": "Created to",
}  # fmt: skip
FILTERS = tuple(LABELS)


class FilterError(NamedTuple):
    """`name` is the control's, `label` what people call it."""

    name: str
    label: str
    message: str


@dataclass
class ListQuery:
    """What the address asks for. `values` are the filters as typed; with `errors` nothing is listed."""

    values: dict[str, str]
    chosen: ClientFilter
    order: Order
    cursor: str | None
    errors: list[FilterError] = field(default_factory=list)

    @property
    def bound(self) -> object:
        """What a cursor of this list is bound to."""
        return [self.order.sort, self.order.descending, self.chosen.as_json()]

    @property
    def set_count(self) -> int:
        return len(self.values)

    def query(self, *, sort: str | None = None, cursor: str | None = None, filters: bool = True) -> str:
        """The query string, `?` included; empty for the plain list. A `sort` that is the present one turns it round."""
        order = self.order
        if sort is not None:
            same = sort == order.sort
            order = Order("name" if sort == "name" else "created", not order.descending if same else sort == "created")
        pairs = dict(self.values) if filters else {}
        if (order.sort, order.descending) != ("created", True):
            pairs |= {"sort": order.sort, "dir": "desc" if order.descending else "asc"}
        if cursor:
            pairs["cursor"] = cursor
        return f"?{urlencode(pairs)}" if pairs else ""

    def in_words(self) -> list[tuple[str, str]]:
        """Filters and sort as people call them."""
        known = {
            "status": dict(STATUSES), "type": dict(TYPES), "risk": dict(RISKS), "country": countries.names(),
            "flag": dict(FLAG_CHOICES),
        }  # fmt: skip
        words = [(LABELS[name], known.get(name, {}).get(value, value)) for name, value in self.values.items()]
        if (self.order.sort, self.order.descending) != ("created", True):
            words.append(("Sorted by", self.order.sort + (", the last first" if self.order.descending else "")))
        return words

    @classmethod
    def read(cls, args: Mapping[str, str], *, sees_restricted: bool) -> ListQuery:
        """From the query string. What it cannot mean becomes an error with the filter's name."""
        values = {name: args[name].strip() for name in FILTERS if args.get(name, "").strip()}
        if "flag" not in values and args.get("severity", "").strip():
            values["flag"] = args["severity"].strip()
        errors: list[FilterError] = []

        def known(name: str, label: str, choices: list[tuple[str, str]]) -> str:
            value = values.get(name, "")
            if value and value not in {key for key, _ in choices}:
                errors.append(FilterError(name, label, f"“{value[:40]}” is none of the choices."))
                return ""
            return value

        def day(name: str, label: str) -> date | None:
            try:
                found = date.fromisoformat(values[name]) if name in values else None
                if found is not None and not 1900 <= found.year <= 9000:
                    raise ValueError
            except ValueError:
                errors.append(FilterError(name, label, "Write the date as 2026-03-13."))
                return None
            return found

        country = countries.stored(values.get("country")) or ""
        if country and not (countries.known(country) or re.fullmatch(r"[A-Z]{2,3}", country)):
            errors.append(FilterError("country", "Country", f"“{country[:40]}” is no country code."))
            country = ""
        if len(values.get("text", "")) > LONGEST_TEXT:
            errors.append(FilterError("text", "Text", f"Use at most {LONGEST_TEXT} characters."))
        status = known("status", "Status", STATUSES)
        kind = known("type", "Type", TYPES)
        risk = known("risk", "Risk", RISKS)
        flag = known("flag", "Flag", FLAG_CHOICES if sees_restricted else OPEN_FLAG_CHOICES)
        first, last = day("created_from", "Created from"), day("created_to", "Created to")
        if first and last and first > last:
            errors.append(FilterError("created_to", "Created to", "This lies before the first day."))
        sort = args.get("sort", "created")
        if sort not in {"created", "name"}:
            errors.append(FilterError("sort", "Sort", "Sort by created or name."))
            sort = "created"
        direction = args.get("dir") or ("desc" if sort == "created" else "asc")
        if direction not in {"asc", "desc"}:
            errors.append(FilterError("dir", "Direction", "Sort asc or desc."))
        chosen = ClientFilter(
            text=values.get("text", "")[:LONGEST_TEXT],
            statuses=(status,) if status else (),
            types=(kind,) if kind else (),
            risks=(int(risk),) if risk else (),
            countries=(country,) if country else (),
            flags=(FlagCode(flag).value,) if flag and flag not in SEVERITIES else (),
            severity=SEVERITIES[flag].value if flag in SEVERITIES else 0,
            created_from=first,
            created_to=last,
            sees_restricted=sees_restricted,
        )
        order = Order("name" if sort == "name" else "created", direction != "asc")
        return cls(values, chosen, order, args.get("cursor") or None, errors)
