"""Forms that ask for adjusting payments and reversals."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from flask_wtf import FlaskForm
from wtforms import DateField, Field, HiddenField, StringField, TextAreaField
from wtforms.validators import UUID as UUIDText
from wtforms.validators import Length, Optional, StopValidation

from dashboard.ledger.services.orders import LONGEST_DESCRIPTION
from dashboard.ledger.services.payments import LONGEST_REASON

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _stripped(text: str | None) -> str | None:
    return (text or "").strip() or None


def _plain(_form: Any, field: Field) -> None:
    """No control characters: they cannot be stored, and nobody types them."""
    if isinstance(field.data, str) and _CONTROL.search(field.data):
        raise StopValidation("Remove the control characters.")


def _filled(sentence: str) -> Any:
    def check(_form: Any, field: Field) -> None:
        if not field.data:
            raise StopValidation(sentence)

    return check


def _at_most(count: int) -> Length:
    return Length(max=count, message=f"Use at most {count} characters.")


class Day(DateField):
    """A plain date; an impossible one is an error beside the field and stays as typed."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist or not valuelist[0].strip():
            self.data = None
            return
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("Write the date as 2026-03-13.") from None


class AdjustingForm(FlaskForm):
    """Both accounts by number, what moves between them, and why."""

    debtor_account_id = StringField(
        "Debtor account", validators=[_filled("Write the number of the account."), _plain, _at_most(100)],
        filters=[_stripped],
        description="The money leaves it. IBAN, its last four characters, or of the house “Fees EUR”.",
    )  # fmt: skip
    creditor_account_id = StringField(
        "Creditor account", validators=[_filled("Write the number of the account."), _plain, _at_most(100)],
        filters=[_stripped], description="The money reaches it, in the same currency.",
    )  # fmt: skip
    amount = StringField(
        "Amount", validators=[_filled("Write the amount."), _plain, _at_most(40)], filters=[_stripped],
        description="In the accounts’ currency, like 1250.50.", render_kw={"inputmode": "decimal"},
    )  # fmt: skip
    value_date = Day(
        "Value date", validators=[Optional()], description="May lie in the past; the booking day if empty."
    )
    description = StringField(
        "Description", validators=[Optional(), _plain, _at_most(LONGEST_DESCRIPTION)], filters=[_stripped],
        description="The owners of both accounts read it.",
    )  # fmt: skip
    reason = TextAreaField(
        "Why", validators=[_filled("Say why."), _plain, _at_most(LONGEST_REASON)], filters=[_stripped],
        description="The second person reads this; clients never do.", render_kw={"rows": 3},
    )  # fmt: skip
    #: made with the form: the same form sent twice is one payment
    parent_id = HiddenField("Form", validators=[UUIDText("Open the form again.")])

    @property
    def parent(self) -> UUID:
        """Of a form that is valid."""
        return UUID(self.parent_id.data or "")


class ReversalForm(FlaskForm):
    """Why a payment is reversed."""

    reason = TextAreaField(
        "Why", validators=[_filled("Say why."), _plain, _at_most(LONGEST_REASON)], filters=[_stripped],
        description="The second person reads this; clients never do.", id="reversal-reason", render_kw={"rows": 3},
    )  # fmt: skip
