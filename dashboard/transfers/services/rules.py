"""Rules that are data: limits, fees, countries. One person asks for another version, a second one decides.

What only makes limits stricter is a kind of its own (`TIGHTEN`): nothing passes by it that did not pass before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import ruling
from dashboard.approvals import services as approvals
from dashboard.approvals.kinds import Detail, Line, Link, Outcome
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.clients import countries
from dashboard.clients.vocabulary import Risk
from dashboard.database import session
from dashboard.errors import FieldError, Forbidden, Invalid, NotFound, Refused
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS, Money
from dashboard.transfers.models import CountryRule, DeskLimit, RuleChange, TransferFee, TransferLimit
from dashboard.transfers.vocabulary import TYPE_LABELS, TransferType

CHANGE, TIGHTEN = ruling.CHANGE, "rules.tighten"
OBJECT, PAGE = ruling.OBJECT, ruling.PAGE
LONGEST_NOTE = 200
#: of the identifiers of rules: known before there is a row
_PLACE = UUID("5c1d2c0a-6f0e-5f0f-8a6b-2e2f7d1c9b44")


class Rule(StrEnum):
    """Each is a table; the value is its name."""

    DESK = "desk_limit"
    LIMIT = "transfer_limit"
    FEE = "transfer_fee"
    COUNTRY = "transfer_country_rule"


Row = Mapping[str, Any]
_Model = type[DeskLimit] | type[TransferLimit] | type[TransferFee] | type[CountryRule]

_MODELS: dict[Rule, _Model] = {
    Rule.DESK: DeskLimit, Rule.LIMIT: TransferLimit, Rule.FEE: TransferFee, Rule.COUNTRY: CountryRule,
}  # fmt: skip
#: the columns that say which rule it is, in the order of an address: `sepa-eur`, `3-eur`
_KEYS: dict[Rule, tuple[str, ...]] = {
    Rule.DESK: ("currency",), Rule.LIMIT: ("risk_level", "currency"), Rule.FEE: ("type", "currency"),
    Rule.COUNTRY: ("country",),
}  # fmt: skip
#: the columns that people change, as they are said
LABELS: dict[Rule, dict[str, str]] = {
    Rule.DESK: {"two_people_above_minor": "Two people above"},
    Rule.LIMIT: {
        "per_transfer_minor": "One transfer", "per_day_minor": "One day", "per_month_minor": "One month",
    },
    Rule.FEE: {"fixed_minor": "Fixed", "basis_points": "Basis points", "most_minor": "At most"},
    Rule.COUNTRY: {"outcome": "Money to it", "note": "Because"},
}  # fmt: skip
#: amounts that may stand empty, and what that means
_EMPTY = {
    "per_transfer_minor": "no limit", "per_day_minor": "no limit", "per_month_minor": "no limit",
    "most_minor": "no maximum",
}  # fmt: skip
OUTCOMES = {"review": "after a person looked", "refused": "never", "allowed": "as to other countries"}


def key_of(rule: Rule, text: str) -> dict[str, Any]:
    """The key columns that an address names: `eur`, `3-eur`, `sepa-eur`, `LT`. Raises NotFound."""
    parts = text.split("-")
    names = _KEYS[rule]
    key: dict[str, Any] = dict(zip(names, parts, strict=False))
    known = len(parts) == len(names) and (
        key.get("currency", "eur") in DECIMALS
        and key.get("type", TransferType.SEPA) in set(TransferType)
        and (rule is not Rule.COUNTRY or key["country"] in countries.names())
        and (rule is not Rule.LIMIT or key["risk_level"] in {str(risk.value) for risk in Risk})
    )
    if not known:
        raise NotFound("There is no such rule.", code="ruleNotFound")
    if rule is Rule.LIMIT:
        key["risk_level"] = int(key["risk_level"])
    return key


def address_of(rule: Rule, row: Row) -> str:
    """The other way round."""
    return "-".join(str(row[name]) for name in _KEYS[rule])


def id_of(rule: Rule, key: Row) -> UUID:
    return uuid5(_PLACE, f"{rule.value} {address_of(rule, key)}")


def subject(rule: Rule, key: Row) -> str:
    """Desk limit EUR; Limits of risk High, EUR; Fee of SEPA, EUR; Country Iran"""
    if rule is Rule.DESK:
        return f"Desk limit {key['currency'].upper()}"
    if rule is Rule.LIMIT:
        return f"Limits of risk {Risk(key['risk_level']).label.lower()}, {key['currency'].upper()}"
    if rule is Rule.FEE:
        return f"Fee of {TYPE_LABELS[TransferType(key['type'])]}, {key['currency'].upper()}"
    return f"Country {countries.shown(key['country'])}"


def _row(found: Any) -> dict[str, Any] | None:
    """All columns but the approval: what the database compares with the request."""
    if found is None:
        return None
    return {column.key: getattr(found, column.key) for column in sa.inspect(type(found)).columns
            if column.key != "approval_id"}  # fmt: skip


def standing(rule: Rule, key: Row) -> dict[str, Any] | None:
    """The rule as it stands; None where there is none."""
    return _row(session().get(_MODELS[rule], tuple(key[name] for name in _KEYS[rule]), populate_existing=True))


def _locked(rule: Rule, key: Row) -> Any:
    place = tuple(key[name] for name in _KEYS[rule])
    return session().get(_MODELS[rule], place, with_for_update=True, populate_existing=True)


def said(rule: Rule, row: Row | None) -> dict[str, str]:
    """A version in words: {"Two people above": "10,000.00 EUR"}."""
    if row is None:
        return dict.fromkeys(LABELS[rule].values(), "no rule")
    found = {}
    for column, label in LABELS[rule].items():
        value = row[column]
        if value is None:
            found[label] = _EMPTY[column]
        elif column == "outcome":
            found[label] = OUTCOMES[value]
        elif column == "two_people_above_minor" and value == 0:
            found[label] = "0: always"
        else:
            found[label] = str(Money(value, row["currency"])) if column.endswith("_minor") else str(value)
    return found


def is_stricter(rule: Rule, was: Row | None, becomes: Row) -> bool:
    """Nothing passes afterwards that does not pass now; the database says the same (`rule_is_stricter`)."""
    if rule is Rule.DESK:
        # without a rule two people always decide
        return was is not None and becomes["two_people_above_minor"] <= was["two_people_above_minor"]
    if rule is Rule.LIMIT:
        for column in LABELS[rule]:
            before, after = (was or {}).get(column), becomes[column]
            if before is not None and (after is None or after > before):
                return False
        return True
    return False


def _checked(rule: Rule, values: Row) -> dict[str, Any]:
    errors = []
    for column, label in LABELS[rule].items():
        value = values.get(column)
        field = column.removesuffix("_minor")
        if column.endswith("_minor"):
            if value is None and column not in _EMPTY:
                errors.append(FieldError(field, "Write an amount.", "required"))
            elif value is not None and not 0 <= value <= LARGEST_MINOR_UNITS:
                errors.append(FieldError(field, f"{label}: the amount must not be negative or too large.", "range"))
        elif column == "basis_points" and (value is None or not 0 <= value <= 10_000):
            errors.append(FieldError(field, "Write 0 to 10000: a hundredth of a per cent each.", "range"))
        elif column == "outcome" and value not in OUTCOMES:
            errors.append(FieldError(field, f"Choose one of {', '.join(OUTCOMES)}.", "enum"))
        elif column == "note":
            if not (value or "").strip():
                errors.append(FieldError(field, "Say which source or decision it rests on.", "required"))
            elif len(value or "") > LONGEST_NOTE:
                errors.append(FieldError(field, f"Use at most {LONGEST_NOTE} characters.", "tooLong"))
    if rule is Rule.LIMIT and not errors:
        inner = None
        for column, label in LABELS[rule].items():
            value = values.get(column)
            if value is not None and inner is not None and value < inner:
                field = column.removesuffix("_minor")
                errors.append(FieldError(field, f"{label} must not be less than the limit before it.", "order"))
            inner = value if value is not None else inner
    if errors:
        raise Invalid(errors)
    return {column: values.get(column) for column in LABELS[rule]}


def ask(rule: Rule, key: Row, values: Row, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask a second person for another version of a rule; `values` are its columns, amounts in minor units.

    Raises Invalid (fields without `_minor`), Forbidden (lets more pass and the actor may only tighten), Refused
    `unchanged`, Conflict `alreadyRequested`.
    """
    by.require(Permission.RULES_TIGHTEN)
    becomes = {**key, **_checked(rule, values)}
    was = _row(_locked(rule, key))
    if was == becomes:
        raise Refused("It stands like this already.", code="unchanged")
    kind = TIGHTEN if is_stricter(rule, was, becomes) else CHANGE
    if kind == CHANGE and not by.may(Permission.RULES_CHANGE):
        raise Forbidden(
            "Your role may ask for stricter limits only. Administrators and seniors ask for what lets more pass.",
            code="onlyStricter",
        )
    return approvals.request(
        kind,
        object_type=OBJECT,
        object_id=id_of(rule, key),
        client_id=None,
        subject=subject(rule, key),
        payload={"rule": rule.value, "was": was, "becomes": becomes},
        before=said(rule, was),
        after=said(rule, becomes),
        reason=reason,
        restricted=False,
        by=by,
    )


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """The version that stands; locks it."""
    rule = Rule(request.payload["rule"])
    return {"was": _row(_locked(rule, request.payload["becomes"]))}


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved change: in force at once, for whatever is checked from now on."""
    rule, becomes = Rule(request.payload["rule"]), request.payload["becomes"]
    model = _MODELS[rule]
    found = _locked(rule, becomes)
    if found is None:
        session().add(model(**becomes, approval_id=request.id))
    else:
        for column in LABELS[rule]:
            setattr(found, column, becomes[column])
        found.approval_id = request.id
    session().flush()
    audit.record(
        "rule.changed", by=by, object_type=OBJECT, object_id=request.object_id, before=request.before,
        after=request.after, reason=request.reason,
    )  # fmt: skip


def outcomes(requests: Sequence[ApprovalRequest]) -> dict[UUID, Outcome]:
    """What each request turns, and not what it leaves as it is."""
    found = {}
    for request in requests:
        rule = Rule(request.payload["rule"])
        before, after = said(rule, request.payload["was"]), said(rule, request.payload["becomes"])
        turned = [label for label in after if before[label] != after[label]]
        found[request.id] = ({label: before[label] for label in turned}, {label: after[label] for label in turned})
    return found


def details(requests: Sequence[ApprovalRequest], _reader: Actor) -> dict[UUID, Detail]:
    """Which rule, and from when on."""
    return {
        request.id: Detail(
            "",
            (Line("Rule", (request.subject,)), Line("In force", ("at once, when approved",))),
            (Link("Rules", PAGE),),
        )
        for request in requests
    }


def closed(request: ApprovalRequest) -> str | None:
    """What made a request stale; None where the usual sentence is right."""
    if request.state != "stale":
        return None
    return "This request has gone stale: the rule was changed meanwhile. Nothing was changed by it."


def rows_of(rule: Rule) -> list[dict[str, Any]]:
    """All rules of a kind as they stand, by key, each with its `approval_id`; currencies and types in our own order."""
    model = _MODELS[rule]
    query = sa.select(model).execution_options(populate_existing=True)
    found: Sequence[Any] = session().scalars(query).all()
    known: dict[str, list[str]] = {"currency": list(DECIMALS), "type": list(TransferType)}

    def place(row: Row) -> list[Any]:
        return [known[name].index(row[name]) if name in known else row[name] for name in _KEYS[rule]]

    return sorted(({**(_row(one) or {}), "approval_id": one.approval_id} for one in found), key=place)


def changes(limit: int = 20) -> Sequence[RuleChange]:
    """The newest versions of any of these rules, newest first."""
    return session().scalars(sa.select(RuleChange).order_by(RuleChange.changed_at.desc()).limit(limit)).all()


def desk_amounts() -> list[str]:
    """Above which amounts the desk needs two people, one for each currency."""
    return [
        str(Money(row["two_people_above_minor"], row["currency"]))
        for row in rows_of(Rule.DESK)
        if row["two_people_above_minor"]
    ]
