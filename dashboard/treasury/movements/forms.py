"""Forms of movements between own bank accounts."""

from __future__ import annotations

from uuid import UUID

from flask_wtf import FlaskForm
from wtforms import RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import AnyOf, Optional

from dashboard.approvals.services import LONGEST_REASON
from dashboard.treasury.movements.services import telling
from dashboard.treasury.movements.vocabulary import KIND_EXPLAINED, KIND_LABELS, WAY_LABELS
from dashboard.web.fields import at_most, filled, plain, stripped

LONGEST_REFERENCE = 35


def bank_account_id(text: str | None) -> UUID | None:
    """The choice of a form; None where nothing was chosen."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


class MovementForm(FlaskForm):
    """What is to move between which accounts, how the bank is told, and why."""

    kind = RadioField(
        "What it is", choices=[(kind.value, f"{word}: {KIND_EXPLAINED[kind]}") for kind, word in KIND_LABELS.items()],
        validate_choice=False, validators=[filled("Say what it is."), AnyOf([*KIND_LABELS], message="Say what it is.")],
    )  # fmt: skip
    #: `from` is no name in Python; the page calls it so
    gives = SelectField("From", validators=[filled("Choose the account that the money leaves.")])
    to = SelectField("To", validators=[filled("Choose the account that it reaches.")])
    amount = StringField(
        "Amount", validators=[filled("Write the amount."), plain, at_most(40)], filters=[stripped],
        description="In the accounts’ currency, like 1250.50.", render_kw={"inputmode": "decimal"},
    )  # fmt: skip
    way = RadioField("How the bank is told", choices=[(way.value, word) for way, word in WAY_LABELS.items()],
                     validate_choice=False,
                     validators=[filled("Say how the bank is told."),
                                 AnyOf([*WAY_LABELS], message="Say how the bank is told.")])  # fmt: skip
    bank_reference = StringField(
        "Bank’s reference", validators=[Optional(), plain, at_most(LONGEST_REFERENCE)], filters=[stripped],
        description="Only where it was done at the bank already.",
    )  # fmt: skip
    reason = TextAreaField("Why", validators=[filled("Say why."), plain, at_most(LONGEST_REASON)], filters=[stripped],
                           description="The second person reads this.", render_kw={"rows": 3})  # fmt: skip


class DoneForm(FlaskForm):
    """Done at the bank, under which reference."""

    bank_reference = StringField(
        "Bank’s reference", validators=[filled("Give the reference under which the bank has it."), plain,
                                        at_most(LONGEST_REFERENCE)],
        filters=[stripped], description="Both statements are looked through for it.",
    )  # fmt: skip


class BecauseForm(FlaskForm):
    """Why a movement is canceled, or booked back."""

    because = TextAreaField("Why", validators=[filled("Say why."), plain, at_most(telling.LONGEST_REASON)],
                            filters=[stripped], render_kw={"rows": 3})  # fmt: skip
