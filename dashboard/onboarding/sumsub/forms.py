"""The filters of the list of events, and the form that settles a doubt."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from flask_wtf import FlaskForm
from wtforms import TextAreaField
from wtforms.validators import Length

from dashboard.background.queries import WorkFilter
from dashboard.clock import calendar
from dashboard.onboarding.sumsub.badges import SOURCES, STATES
from dashboard.onboarding.sumsub.queries import EventFilter
from dashboard.onboarding.sumsub.services.doubts import LONGEST_REASON

LABELS = {
    "about": "Client, applicant or operation", "state": "Effect", "type": "Type", "answer": "Answer",
    "source": "Told by", "received_from": "Received from", "received_to": "Received to",
}  # fmt: skip
STATE_CHOICES = [("", "Any"), *((key, badge.word) for key, badge in STATES.items())]
ANSWERS = [("", "Any"), ("GREEN", "GREEN"), ("RED", "RED")]
SOURCE_CHOICES = [("", "Any"), *SOURCES.items()]
LONGEST = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class FilterError(NamedTuple):
    """`name` is the control's, `label` what people call it."""

    name: str
    label: str
    message: str


@dataclass
class EventQuery:
    """What the address asks for. `values` are the filters as typed; with `errors` nothing is listed."""

    values: dict[str, str]
    chosen: EventFilter
    cursor: str | None
    errors: list[FilterError] = field(default_factory=list)

    @property
    def bound(self) -> object:
        """What a cursor of this list is bound to."""
        return ["verification events", sorted(self.values.items())]

    @property
    def wrong(self) -> dict[str, str]:
        return {error.name: error.message for error in self.errors}

    def query(self, *, cursor: str | None = None) -> str:
        """The query string, `?` included; empty for the plain list."""
        pairs = {**self.values, **({"cursor": cursor} if cursor else {})}
        return f"?{urlencode(pairs)}" if pairs else ""

    def in_words(self) -> list[tuple[str, str]]:
        """The filters as an export names them."""
        known = {"state": dict(STATE_CHOICES), "source": dict(SOURCE_CHOICES)}
        return [(LABELS[name], known.get(name, {}).get(value, value)) for name, value in self.values.items()]

    @classmethod
    def read(cls, args: Mapping[str, str], *, types: Sequence[str]) -> EventQuery:
        """From the query string. What it cannot mean becomes an error with the filter's name."""
        values = {name: args[name].strip() for name in LABELS if args.get(name, "").strip()}
        errors: list[FilterError] = []

        def wrong(name: str, message: str) -> None:
            errors.append(FilterError(name, LABELS[name], message))

        allowed = {
            "state": {key for key, _ in STATE_CHOICES}, "answer": {key for key, _ in ANSWERS},
            "source": {key for key, _ in SOURCE_CHOICES}, "type": set(types),
        }  # fmt: skip
        for name, choices in allowed.items():
            if name in values and values[name] not in choices:
                wrong(name, f"“{values[name][:40]}” is none of the choices.")
        if len(values.get("about", "")) > LONGEST or _CONTROL.search(values.get("about", "")):
            wrong("about", f"Use at most {LONGEST} characters, and none that cannot be seen.")
        first, last = _day(values, "received_from", wrong), _day(values, "received_to", wrong)
        if first and last and first > last:
            wrong("received_to", "This lies before the first day.")
        if errors:
            return cls(values, EventFilter(), None, errors)
        chosen = EventFilter(
            about=values.get("about"), state=values.get("state"), type=values.get("type"),
            answer=values.get("answer"), source=values.get("source"),
            received_from=_midnight(first) if first else None,
            received_before=_midnight(last + timedelta(days=1)) if last else None,
        )  # fmt: skip
        return cls(values, chosen, args.get("cursor") or None)

    @classmethod
    def of(cls, chosen: EventFilter) -> EventQuery:
        """The address of what was chosen once, as `read` read it."""
        values = {name: value for name, value in chosen.as_json().items() if name in LABELS}
        zone = calendar().zone
        if chosen.received_from:
            values["received_from"] = chosen.received_from.astimezone(zone).date().isoformat()
        if chosen.received_before:
            last = chosen.received_before.astimezone(zone).date() - timedelta(days=1)
            values["received_to"] = last.isoformat()
        return cls({name: values[name] for name in LABELS if name in values}, chosen, None)


REPLAY_LABELS = {"state": "State", "asked_from": "Asked from", "asked_to": "Asked to"}
#: by the word of the filter: states of background work
REPLAY_STATES = {
    "unfinished": ("queued", "running"), "succeeded": ("succeeded",), "failed": ("failed",), "canceled": ("canceled",),
}  # fmt: skip
REPLAY_STATE_CHOICES = [
    ("", "Any"), ("unfinished", "Waiting or running"), ("succeeded", "Done"), ("failed", "Failed"),
    ("canceled", "Canceled"),
]  # fmt: skip


@dataclass
class ReplayQuery:
    """What the address of the list of replays asks for. With `errors` nothing is listed."""

    values: dict[str, str]
    chosen: WorkFilter
    cursor: str | None = None
    errors: list[FilterError] = field(default_factory=list)

    @property
    def bound(self) -> object:
        """What a cursor of this list is bound to."""
        return ["replays of verification events", sorted(self.values.items())]

    def query(self, *, cursor: str | None = None) -> str:
        """The query string, `?` included; empty for the plain list."""
        pairs = {**self.values, **({"cursor": cursor} if cursor else {})}
        return f"?{urlencode(pairs)}" if pairs else ""

    def in_words(self) -> list[tuple[str, str]]:
        """The filters as an export names them."""
        states = dict(REPLAY_STATE_CHOICES)
        return [
            (REPLAY_LABELS[name], states[value] if name == "state" else value) for name, value in self.values.items()
        ]

    @classmethod
    def read(cls, args: Mapping[str, str]) -> ReplayQuery:
        """From the query string. What it cannot mean becomes an error with the filter's name."""
        values = {name: args[name].strip() for name in REPLAY_LABELS if args.get(name, "").strip()}
        errors: list[FilterError] = []

        def wrong(name: str, message: str) -> None:
            errors.append(FilterError(name, REPLAY_LABELS[name], message))

        state = values.get("state")
        if state is not None and state not in REPLAY_STATES:
            wrong("state", f"“{state[:40]}” is none of the choices.")
        first, last = _day(values, "asked_from", wrong), _day(values, "asked_to", wrong)
        if first and last and first > last:
            wrong("asked_to", "This lies before the first day.")
        if errors:
            return cls(values, WorkFilter(), None, errors)
        chosen = WorkFilter(
            REPLAY_STATES[state] if state else (),
            _midnight(first) if first else None,
            _midnight(last + timedelta(days=1)) if last else None,
        )
        return cls(values, chosen, args.get("cursor") or None)


def _day(values: Mapping[str, str], name: str, wrong: Callable[[str, str], None]) -> date | None:
    try:
        found = date.fromisoformat(values[name]) if name in values else None
        if found is not None and not 1900 <= found.year <= 9000:
            raise ValueError
    except ValueError:
        wrong(name, "Write the date as 2026-03-13.")
        return None
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), calendar().zone)


class DoubtForm(FlaskForm):
    """What a person found."""

    reason = TextAreaField(
        "What you found", validators=[Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters.")],
        render_kw={"rows": 2},
    )  # fmt: skip
