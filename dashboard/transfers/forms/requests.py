"""The filters of the list of incoming requests, and the form that mends one and processes it again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from flask_wtf import FlaskForm
from wtforms import RadioField, SelectField, StringField, TextAreaField

from dashboard.clock import calendar
from dashboard.errors import Invalid
from dashboard.ledger.schemas import minor_units
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS
from dashboard.transfers.queries.requests import RequestFilter, findable
from dashboard.transfers.services.incoming.correcting import LONGEST_COMMENT, Corrections
from dashboard.transfers.vocabulary import RequestState
from dashboard.web.fields import CONTROL, at_most, plain, stripped

STATE_LABELS = {
    RequestState.FAILED: "Failed",
    RequestState.WAITING: "Waiting",
    RequestState.RECEIVED: "Received",
    RequestState.PROCESSED: "Processed",
    RequestState.LINKED: "Linked",
}
STATES = [("", "Any"), *((state.value, label) for state, label in STATE_LABELS.items())]
SOURCES = [
    ("", "Any"), ("api", "API"), ("sandbox", "Sandbox"), ("camt.054", "camt.054"),
    ("camt.053", "camt.053"),
]  # fmt: skip
MARKS = [("", "Any"), ("reversal", "Reversals"), ("credit", "Credits"), ("lacking", "Payer data missing")]
LABELS = {
    "text": "Text", "state": "State", "provider": "Provider", "source": "Told by", "mark": "Kind",
    "received_from": "Received from", "received_to": "Received to", "reference": "Provider reference",
}  # fmt: skip
LONGEST_TEXT = 200
_NUMBER = re.compile(r"\d{1,17}(\.\d{1,10})?")


class FilterError(NamedTuple):
    """`name` is the control's, `label` what people call it."""

    name: str
    label: str
    message: str


@dataclass
class RequestQuery:
    """What the address asks for. `values` are the filters as typed; with `errors` nothing is listed."""

    values: dict[str, str]
    chosen: RequestFilter
    cursor: str | None
    errors: list[FilterError] = field(default_factory=list)

    @property
    def bound(self) -> object:
        """What a cursor of this list is bound to."""
        return ["requests", sorted(self.values.items())]

    @property
    def set_count(self) -> int:
        return len(self.values)

    @property
    def wrong(self) -> dict[str, str]:
        return {error.name: error.message for error in self.errors}

    def query(self, *, cursor: str | None = None) -> str:
        """The query string, `?` included; empty for the plain list."""
        pairs = {**self.values, **({"cursor": cursor} if cursor else {})}
        return f"?{urlencode(pairs)}" if pairs else ""

    def in_words(self, providers: Sequence[tuple[str, str]] = ()) -> list[tuple[str, str]]:
        """The filters as people call them; a provider by its key where no names are given."""
        known = {"state": dict(STATES), "source": dict(SOURCES), "mark": dict(MARKS), "provider": dict(providers)}
        return [(LABELS[name], known.get(name, {}).get(value, value)) for name, value in self.values.items()]

    @classmethod
    def read(cls, args: Mapping[str, str], *, providers: list[tuple[str, str]]) -> RequestQuery:
        """From the query string. What it cannot mean becomes an error with the filter's name."""
        values = {name: args[name].strip() for name in LABELS if args.get(name, "").strip()}
        errors: list[FilterError] = []

        def wrong(name: str, message: str) -> None:
            errors.append(FilterError(name, LABELS[name], message))

        for name, choices in (("state", STATES), ("source", SOURCES), ("mark", MARKS), ("provider", providers)):
            if name in values and values[name] not in {key for key, _ in choices}:
                wrong(name, f"“{values[name][:40]}” is none of the choices.")
        for name in ("text", "reference"):
            if len(values.get(name, "")) > LONGEST_TEXT:
                wrong(name, f"Use at most {LONGEST_TEXT} characters.")
            elif CONTROL.search(values.get(name, "")):
                wrong(name, "Remove the control characters.")
        if values.get("text") and not findable(values["text"]):
            wrong("text", "Write at least 3 letters or digits in a row.")
        first, last = _day(values, "received_from", wrong), _day(values, "received_to", wrong)
        if first and last and first > last:
            wrong("received_to", "This lies before the first day.")
        if errors:
            return cls(values, RequestFilter(), None, errors)
        mark = values.get("mark")
        chosen = RequestFilter(
            provider=values.get("provider"),
            state=RequestState(values["state"]) if "state" in values else None,
            source=values.get("source"),
            reversal={"reversal": True, "credit": False}.get(mark or ""),
            lacking=mark == "lacking",
            text=values.get("text", ""),
            provider_reference=values.get("reference"),
            received_from=_midnight(first) if first else None,
            received_before=_midnight(last + timedelta(days=1)) if last else None,
        )
        return cls(values, chosen, args.get("cursor") or None, errors)


def _day(values: Mapping[str, str], name: str, wrong: Any) -> date | None:
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


#: what a person says of a request that may be told already
UNDECIDED, SEPARATE = "", "separate"


class ClearForm(FlaskForm):
    """What the provider answered when it was asked why it told two things."""

    reason = TextAreaField(
        "What did the provider answer?", filters=[stripped], validators=[plain, at_most(LONGEST_COMMENT)],
        render_kw={"rows": 2},
    )  # fmt: skip


class MendForm(FlaskForm):
    """What the message lacked. Empty fields stay as the bank told them."""

    decision = RadioField("Which one is it?", choices=[(UNDECIDED, "")], default=UNDECIDED, validate_choice=False)
    amount = StringField(
        "Amount", filters=[stripped], validators=[plain, at_most(40)], render_kw={"inputmode": "decimal"}
    )
    currency = SelectField(
        "Currency", choices=[("", "Choose"), *((code, code.upper()) for code in DECIMALS)], default="",
        # not offered where the message told it; the service says which are known
        validate_choice=False,
    )  # fmt: skip
    creditor_account_number = StringField(
        "Creditor account", filters=[stripped], validators=[plain, at_most(64)],
        description="The client's account number, as the payer meant it.",
    )  # fmt: skip
    remittance_information = TextAreaField(
        "Remittance text", filters=[stripped], validators=[plain, at_most(4_000)],
        description="With the reference that the client gave the payer.", render_kw={"rows": 2},
    )  # fmt: skip
    comment = TextAreaField(
        "Why, and where you know it from", filters=[stripped], validators=[plain, at_most(LONGEST_COMMENT)],
        description="Needed where anything is corrected. It stays with the request.", render_kw={"rows": 2},
    )  # fmt: skip

    def corrections(self, *, known_currency: str | None) -> Corrections:
        """What differs from the message. Raises Invalid, naming the field."""
        currency = self.currency.data or None
        minor = None
        if self.amount.data:
            typed = re.sub(r"\s", "", self.amount.data)
            typed = typed.replace(",", "") if "." in typed else typed.replace(",", ".")
            if not _NUMBER.fullmatch(typed) or Decimal(typed) > LARGEST_MINOR_UNITS:
                raise Invalid.one("amount", "Write an amount, like 1250.50.", "range")
            if (known_currency or currency) not in DECIMALS:
                raise Invalid.one("currency", "An amount needs its currency.", "required")
            minor = minor_units(Decimal(typed), known_currency or currency or "", field="amount")
        decision = self.decision.data or UNDECIDED
        same_as = None
        if decision not in (UNDECIDED, SEPARATE):
            try:
                same_as = UUID(decision)
            except ValueError:
                raise Invalid.one("decision", "Choose one of them.", "enum") from None
        return Corrections(
            creditor_account=self.creditor_account_number.data,
            currency=currency,
            amount_minor=minor,
            remittance=self.remittance_information.data,
            same_as=same_as,
            separate=decision == SEPARATE,
            comment=self.comment.data,
        )
