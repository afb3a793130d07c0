"""Forms that ask for another version of a rule. Amounts are typed in major units and stay as typed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_wtf import FlaskForm
from wtforms import SelectField

from dashboard.approvals.services import LONGEST_REASON
from dashboard.clients.forms.fields import longer_text, text
from dashboard.errors import FieldError, Invalid
from dashboard.money import Money, NotRepresentable
from dashboard.transfers.services.rules import LABELS, LONGEST_NOTE, OUTCOMES, Rule


class _RuleForm(FlaskForm):
    reason = longer_text(
        "Why", longest=LONGEST_REASON, required="Say why.", id="rule-reason",
        description="The second person reads it, and it stays with the rule.",
    )  # fmt: skip


class DeskForm(_RuleForm):
    two_people_above = text(
        "Two people above", longest=30, required="Write an amount.", id="rule-above",
        description="Up to it one person decides. 0: always two.",
    )  # fmt: skip


class LimitForm(_RuleForm):
    per_transfer = text("One transfer", longest=30, id="rule-transfer", description="Empty: no limit.")
    per_day = text("One day", longest=30, id="rule-day", description="Empty: no limit.")
    per_month = text("One month", longest=30, id="rule-month", description="Empty: no limit.")


class FeeForm(_RuleForm):
    fixed = text("Fixed", longest=30, required="Write an amount.", id="rule-fixed")
    basis_points = text(
        "Basis points", longest=5, required="Write 0 to 10000.", id="rule-points",
        description="A hundredth of a per cent of the amount each, added to what is fixed.",
    )  # fmt: skip
    most = text("At most", longest=30, id="rule-most", description="Empty: no maximum.")


class CountryForm(_RuleForm):
    outcome = SelectField("Money to it goes", choices=list(OUTCOMES.items()), id="rule-outcome")
    note = text(
        "Because", longest=LONGEST_NOTE, required="Say which source or decision it rests on.", id="rule-note",
        description="Stands beside every finding of this rule.",
    )  # fmt: skip


RuleForm = DeskForm | LimitForm | FeeForm | CountryForm
FORMS: dict[Rule, type[DeskForm] | type[LimitForm] | type[FeeForm] | type[CountryForm]] = {
    Rule.DESK: DeskForm, Rule.LIMIT: LimitForm, Rule.FEE: FeeForm, Rule.COUNTRY: CountryForm,
}  # fmt: skip


def fill(form: RuleForm, rule: Rule, row: Mapping[str, Any] | None) -> None:
    """Show the version that stands."""
    for column in LABELS[rule]:
        value = row[column] if row else None
        if value is not None:
            field = form[column.removesuffix("_minor")]
            field.data = f"{Money(value, row['currency']).amount:f}" if row and field.name != column else str(value)


def values_of(form: RuleForm, rule: Rule, currency: str | None) -> dict[str, Any]:
    """Columns as they were typed, amounts in minor units. Raises Invalid with every field that is no number."""
    values: dict[str, Any] = {}
    errors, code = [], currency or ""
    for column in LABELS[rule]:
        name = column.removesuffix("_minor")
        typed = (form[name].data or "").strip()
        if column == "basis_points":
            values[column] = int(typed) if typed.isascii() and typed.isdigit() else None
        elif name == column:
            values[column] = typed
        elif not typed:
            values[column] = None
        else:
            try:
                number = Decimal(typed.replace(" ", "").replace("\u00a0", "").replace(",", ""))
                values[column] = Money.of(number, code).minor_units
            except (InvalidOperation, NotRepresentable):
                errors.append(FieldError(name, f"Write an amount in {code.upper()} like 1250.50.", "amount"))
    if errors:
        raise Invalid(errors)
    return values
