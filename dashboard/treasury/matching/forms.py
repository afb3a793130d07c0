"""What the pages of reconciliation are asked: an account and a day, filters of breaks, picked rows, reasons, rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask_wtf import FlaskForm
from wtforms import RadioField, TextAreaField
from wtforms.validators import AnyOf, InputRequired, Length, ValidationError

from dashboard.errors import FieldError, Invalid
from dashboard.money import DECIMALS, Money, NotRepresentable
from dashboard.treasury.matching.queries.break_rows import BUCKETS, BreakFilter
from dashboard.treasury.matching.rules import RuleSet, Step
from dashboard.treasury.matching.services.booking import BOOKED_AS_LABELS
from dashboard.treasury.matching.services.matches import LONGEST_REASON, SHORTEST_ACCEPTANCE, reason_of
from dashboard.treasury.matching.vocabulary import BREAK_LABELS, PASSES, Pass

STATES = {
    "unresolved": "Open and acknowledged", "open": "Open", "acknowledged": "Acknowledged", "accepted": "Accepted",
    "resolved": "Resolved", "all": "All",
}  # fmt: skip
OWNERS = {"any": "Anybody", "me": "You", "none": "Nobody"}
KINDS = [("", "Any"), *((kind.value, label) for kind, label in BREAK_LABELS.items())]
#: filter of the list of breaks to what it is called
LABELS = {
    "state": "State", "kind": "Kind", "currency": "Currency", "owner": "Owner", "age": "Age", "account": "Bank account",
}  # fmt: skip


class ReasonForm(FlaskForm):
    """A sentence that is kept with what it explains."""

    reason = TextAreaField(
        "Why",
        validators=[
            InputRequired("Say why."),
            Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters."),
        ],
        render_kw={"rows": 3},
    )


class AcceptForm(ReasonForm):
    """Why a difference may stand: more than a word."""

    def validate_reason(self, field: TextAreaField) -> None:
        try:
            reason_of(field.data, shortest=SHORTEST_ACCEPTANCE)
        except Invalid as refusal:
            raise ValidationError(refusal.errors[0].message) from None


class BookForm(ReasonForm):
    """What is left, and as what it is booked."""

    booked_as = RadioField(
        "Book it as",
        choices=[(one.value, label) for one, label in BOOKED_AS_LABELS.items()],
        # nothing chosen and something that is none of these are told in the same words, once
        validate_choice=False,
        validators=[
            InputRequired("Choose what it is."),
            AnyOf([*BOOKED_AS_LABELS], message="Choose what it is."),
        ],
        name="as",
    )


def identifiers(values: list[str], name: str) -> list[UUID]:
    """Raises Invalid."""
    try:
        return [UUID(value) for value in values]
    except ValueError:
        raise Invalid.one(name, "This is no identifier.", "uuid") from None


def day_of(text: str | None) -> date | None:
    """Raises Invalid (field `day`)."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid.one("day", "Give the day as YYYY-MM-DD.", "date") from None


def amount_of(text: str | None, currency: str) -> int | None:
    """Minor units, without sign. Raises Invalid (field `amount`)."""
    said = (text or "").strip().replace(",", "").replace("\u2212", "-").replace(" ", "")
    if not said:
        return None
    try:
        return abs(Money.of(Decimal(said), currency).minor_units)
    except (InvalidOperation, NotRepresentable):
        raise Invalid.one("amount", f"Give an amount such as 1250.00 ({currency.upper()}).", "amount") from None


@dataclass
class BreakQuery:
    """What the address of a list of breaks asks for. With `errors` nothing is listed."""

    values: dict[str, str]
    chosen: BreakFilter
    cursor: str | None
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def bound(self) -> object:
        return ["breaks", sorted(self.values.items())]

    def query(self, *, cursor: str | None = None, **change: str | None) -> str:
        """The query string, `?` included; empty for the plain list."""
        values = {name: value for name, value in {**self.values, **change}.items() if value}
        pairs = {**values, **({"cursor": cursor} if cursor else {})}
        return f"?{urlencode(pairs)}" if pairs else ""

    def in_words(self) -> list[tuple[str, str]]:
        """The filters as a file tells them."""
        known = {"state": STATES, "owner": OWNERS, "kind": {kind.value: label for kind, label in BREAK_LABELS.items()}}
        return [(LABELS[name], known.get(name, {}).get(value, value)) for name, value in sorted(self.values.items())]

    @classmethod
    def read(cls, args: Mapping[str, str]) -> BreakQuery:
        """From the query string. What it cannot mean becomes an error with the filter's name."""
        values = {name: args[name].strip() for name in LABELS if args.get(name, "").strip()}
        errors: dict[str, str] = {}
        allowed: dict[str, tuple[Any, str]] = {
            "state": (STATES, "Choose one of the states."), "owner": (OWNERS, "Choose you, nobody or anybody."),
            "kind": (set(BREAK_LABELS), "There is no such kind of break."), "age": (BUCKETS, "Choose one of the ages."),
            "currency": (DECIMALS, "This currency is not known here."),
        }  # fmt: skip
        for name, (words, says) in allowed.items():
            if name in values and values[name] not in words:
                errors[name] = says
        account = None
        if "account" in values:
            try:
                account = UUID(values["account"])
            except ValueError:
                errors["account"] = "This is no identifier."
        if errors:
            return cls(values, BreakFilter(), None, errors)
        chosen = BreakFilter(
            bank_account_id=account,
            currency=values.get("currency"),
            kind=values.get("kind"),
            state=values.get("state", "unresolved"),
            owner=values.get("owner", "any"),
            age=values.get("age"),
        )
        return cls(values, chosen, args.get("cursor") or None)


def rules_from(form: Mapping[str, str], standing: RuleSet) -> RuleSet:
    """The rules as typed. Raises Invalid with a field for each that cannot be read; ranges are the rules' own."""
    errors: list[FieldError] = []

    def whole(name: str) -> int:
        try:
            return int(form.get(name, ""))
        except ValueError:
            errors.append(FieldError(name, "Give a whole number.", "number"))
            return 0

    ordered: list[tuple[int, Step]] = []
    for key in PASSES:
        place = form.get(f"place.{key}", "")
        if not place:
            continue
        certain = key not in (Pass.AMOUNT, Pass.SUM) or form.get(f"certain.{key}") == "yes"
        ordered.append((whole(f"place.{key}"), Step(key, whole(f"days.{key}"), certain)))
    places = [place for place, _ in ordered]
    if len(set(places)) != len(places):
        errors.append(FieldError("passes", "Give each pass a place of its own.", "unique"))
    timing, due = whole("timingDays"), whole("dueDays")
    alone: dict[str, int] = {}
    for currency in DECIMALS:
        said = form.get(f"acceptAlone.{currency}", "").strip()
        if said:
            try:
                alone[currency] = amount_of(said, currency) or 0
            except Invalid as wrong:
                errors.append(FieldError(f"acceptAlone.{currency}", wrong.errors[0].message, "amount"))
    if errors:
        raise Invalid(errors)
    steps = tuple(step for _, step in sorted(ordered, key=lambda one: one[0]))
    return RuleSet(standing.version, steps, timing, due, {key: minor for key, minor in alone.items() if minor})
