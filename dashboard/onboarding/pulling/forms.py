"""The filters of the list of differences, and the words with which one is let stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode
from uuid import UUID

from flask_wtf import FlaskForm
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from dashboard.onboarding.pulling.queries import DifferenceFilter
from dashboard.onboarding.pulling.services.differences import LONGEST_REASON
from dashboard.onboarding.pulling.vocabulary import FIELD_LABELS, DifferenceState, Field

STATES = {"open": "Open", "accepted": "Let stand", "resolved": "Resolved", "all": "All"}
FIELDS = [("", "Any"), *((one.value, label) for one, label in FIELD_LABELS.items())]
#: name in the address to what it is called
LABELS = {"state": "State", "field": "What differs", "client": "Client", "run": "Comparison"}


class AcceptForm(FlaskForm):
    """Letting a difference stand."""

    reason = TextAreaField(
        "Why",
        validators=[
            InputRequired("Say why it may stay so."),
            Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON:,} characters."),
        ],
        id="accept-reason",
        render_kw={"rows": 3},
    )


@dataclass
class DifferenceQuery:
    """What the address asks for. `values` are the filters as typed; with `errors` nothing is listed."""

    values: dict[str, str]
    chosen: DifferenceFilter
    cursor: str | None
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        return self.values.get("state", "open")

    @property
    def bound(self) -> object:
        """What a cursor of this list is bound to."""
        return ["differences", sorted(self.values.items())]

    @property
    def narrowed(self) -> bool:
        """Something else than the state is chosen."""
        return bool(set(self.values) - {"state"})

    def query(self, *, cursor: str | None = None, **change: str | None) -> str:
        """The query string, `?` included; empty for the plain list. `change` sets filters, None takes them away."""
        values = {name: value for name, value in {**self.values, **change}.items() if value}
        pairs = {**values, **({"cursor": cursor} if cursor else {})}
        return f"?{urlencode(pairs)}" if pairs else ""

    def in_words(self) -> list[tuple[str, str]]:
        """The filters as people call them."""
        known = {"state": STATES, "field": dict(FIELDS)}
        return [(LABELS[name], known.get(name, {}).get(value, value)) for name, value in self.values.items()]

    @classmethod
    def read(cls, args: Mapping[str, str]) -> DifferenceQuery:
        """From the query string. What it cannot mean becomes an error with the filter's name."""
        values = {name: args[name].strip() for name in LABELS if args.get(name, "").strip()}
        errors: dict[str, str] = {}
        state = values.get("state", "open")
        if state not in STATES:
            errors["state"] = "Choose open, accepted, resolved or all."
        known = values.get("field", "")
        if known and known not in set(Field):
            errors["field"] = "There is no such field."
        ids: dict[str, UUID | None] = {}
        for name in ("client", "run"):
            try:
                ids[name] = UUID(values[name]) if name in values else None
            except ValueError:
                errors[name] = "This is no identifier."
        if errors:
            return cls(values, DifferenceFilter(), None, errors)
        chosen = DifferenceFilter(
            state=None if state == "all" else DifferenceState(state),
            field=Field(known) if known else None,
            client_id=ids["client"],
            comparison_id=ids["run"],
        )
        return cls(values, chosen, args.get("cursor") or None)
