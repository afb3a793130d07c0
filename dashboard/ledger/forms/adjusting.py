"""Forms that ask for adjusting payments and reversals."""

from __future__ import annotations

from uuid import UUID

from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField, TextAreaField
from wtforms.validators import UUID as UUIDText
from wtforms.validators import Optional

from dashboard.ledger.services.orders import LONGEST_DESCRIPTION
from dashboard.ledger.services.payments import LONGEST_REASON
from dashboard.web.fields import Day, at_most, filled, plain, stripped


class AdjustingForm(FlaskForm):
    """Both accounts by number, what moves between them, and why."""

    debtor_account_id = StringField(
        "Debtor account", validators=[filled("Write the number of the account."), plain, at_most(100)],
        filters=[stripped],
        description="The money leaves it. IBAN, its last four characters, or of the house “Fees EUR”.",
    )  # fmt: skip
    creditor_account_id = StringField(
        "Creditor account", validators=[filled("Write the number of the account."), plain, at_most(100)],
        filters=[stripped], description="The money reaches it, in the same currency.",
    )  # fmt: skip
    amount = StringField(
        "Amount", validators=[filled("Write the amount."), plain, at_most(40)], filters=[stripped],
        description="In the accounts’ currency, like 1250.50.", render_kw={"inputmode": "decimal"},
    )  # fmt: skip
    value_date = Day(
        "Value date", validators=[Optional()], description="May lie in the past; the booking day if empty."
    )
    description = StringField(
        "Description", validators=[Optional(), plain, at_most(LONGEST_DESCRIPTION)], filters=[stripped],
        description="The owners of both accounts read it.",
    )  # fmt: skip
    reason = TextAreaField(
        "Why", validators=[filled("Say why."), plain, at_most(LONGEST_REASON)], filters=[stripped],
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
        "Why", validators=[filled("Say why."), plain, at_most(LONGEST_REASON)], filters=[stripped],
        description="The second person reads this; clients never do.", id="reversal-reason", render_kw={"rows": 3},
    )  # fmt: skip
