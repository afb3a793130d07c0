"""The list's query string: everything stands in the URL, and only what is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple, cast
from urllib.parse import urlencode

from dashboard.clients.reviewing import ReviewFilter, When
from dashboard.clients.vocabulary import Risk

WHENS = [("", "All"), ("queue", "In the queue"), ("late", "Late"), ("restricted", "Restricted")]
#: said of a tab without rows
NOTHING = {
    "queue": "No review is in the queue.",
    "late": "No review is late.",
    "restricted": "No client is restricted by a late review.",
}
RISKS = [("", "Any"), *((str(risk.value), risk.label) for risk in Risk)]
FILTERS = ("when", "risk", "until")


class FilterError(NamedTuple):
    """`name` is the control's, `label` what people call it."""

    name: str
    label: str
    message: str


@dataclass
class ReviewQuery:
    """What the address asks for. `values` as typed; with `errors` nothing is listed."""

    values: dict[str, str]
    chosen: ReviewFilter
    cursor: str | None
    errors: list[FilterError] = field(default_factory=list)

    @property
    def bound(self) -> object:
        """What a cursor of this list is bound to."""
        return ["reviews", self.chosen.as_json()]

    def query(self, **change: str | None) -> str:
        """The query string, `?` included, with other values; empty for the plain list."""
        pairs = {key: value for key, value in {**self.values, **change}.items() if value}
        return f"?{urlencode(pairs)}" if pairs else ""

    def in_words(self) -> list[tuple[str, str]]:
        """The filters as an export names them."""
        words: list[tuple[str, str]] = []
        if self.chosen.when:
            words.append(("Which", dict(WHENS)[self.chosen.when]))
        words += [("Risk", Risk(risk).label) for risk in self.chosen.risks]
        if self.chosen.until:
            words.append(("Due until", self.chosen.until.isoformat()))
        return words

    @classmethod
    def read(cls, args: Mapping[str, str]) -> ReviewQuery:
        """From the query string. What it cannot mean becomes an error with the filter's name."""
        values = {name: args[name].strip() for name in FILTERS if args.get(name, "").strip()}
        errors: list[FilterError] = []

        def known(name: str, label: str, choices: list[tuple[str, str]]) -> str:
            value = values.get(name, "")
            if value and value not in dict(choices):
                errors.append(FilterError(name, label, f"“{value[:40]}” is none of the choices."))
                return ""
            return value

        until = None
        if "until" in values:
            try:
                until = date.fromisoformat(values["until"])
                if not 1900 <= until.year <= 9000:
                    raise ValueError
            except ValueError:
                errors.append(FilterError("until", "Due until", "Write the date as 2026-03-13."))
                until = None
        when, risk = known("when", "Which", WHENS), known("risk", "Risk", RISKS)
        chosen = ReviewFilter(cast(When, when), (int(risk),) if risk else (), until)
        return cls(values, chosen, args.get("cursor") or None, errors)
