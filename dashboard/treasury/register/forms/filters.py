"""Filters of lists that are chosen from lists: they stand in the URL, and only what is set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

#: of one filter: its label, and value and word of each choice; the first is "any"
Choice = tuple[str, Sequence[tuple[str, str]]]


@dataclass
class ListQuery:
    """What the address asks for. `values` are the filters that are set; with `errors` nothing is listed."""

    name: str
    values: dict[str, str]
    choices: Mapping[str, Choice]
    cursor: str | None
    #: filters that ask for what there is not, by their labels
    errors: list[str] = field(default_factory=list)

    @property
    def bound(self) -> object:
        """What a cursor of this list is bound to."""
        return [self.name, sorted(self.values.items())]

    def get(self, name: str) -> str | None:
        return self.values.get(name)

    def query(self, *, cursor: str | None = None, **change: str | None) -> str:
        """The query string, `?` included; empty for the plain list. `change` sets filters, None takes them away."""
        values = {name: value for name, value in {**self.values, **change}.items() if value}
        pairs = {**values, **({"cursor": cursor} if cursor else {})}
        return f"?{urlencode(pairs)}" if pairs else ""

    def in_words(self) -> list[tuple[str, str]]:
        """The filters as an export names them."""
        return [(self.choices[name][0], dict(self.choices[name][1])[value]) for name, value in self.values.items()]


def read(name: str, args: Mapping[str, str], choices: Mapping[str, Choice]) -> ListQuery:
    """From the query string. A value that is no choice becomes an error."""
    values = {key: args[key].strip() for key in choices if args.get(key, "").strip()}
    errors = [choices[key][0] for key, value in values.items() if value not in dict(choices[key][1])]
    return ListQuery(name, values, choices, args.get("cursor") or None, errors)
