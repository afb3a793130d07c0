"""Forms of the desk: assign, send back, keep, ask, note, undo, and the rule for a payer."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import Field, HiddenField, RadioField, StringField, TextAreaField
from wtforms.validators import Optional, StopValidation

from dashboard.money import Money, NotRepresentable
from dashboard.transfers.vocabulary import ScreeningResult
from dashboard.web.fields import Day, at_most, filled, plain, stripped

LONGEST_REASON = 500
LONGEST_TEXT = 4000
#: as the table has it
LARGEST_FILE = 5 * 1024 * 1024


def _line(label: str, *, required: str | None = None, longest: int = LONGEST_REASON, **options: Any) -> StringField:
    first = filled(required) if required else Optional()
    return StringField(label, validators=[first, plain, at_most(longest)], filters=[stripped], **options)


class SeenForm(FlaskForm):
    """What every decision carries: the version of the receipt that its maker saw."""

    seen = HiddenField()

    @property
    def seen_version(self) -> int | None:
        typed = self.seen.data or ""
        return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else None


class LateForm(SeenForm):
    """A decision that settles; after the deadline it says why so late."""

    late_reason = _line(
        "Why so late", description="The deadline to allocate has passed. The reason is kept with the receipt."
    )


class AssignForm(LateForm):
    account = HiddenField(validators=[filled("Choose an account.")])
    comment = _line("Comment", description="For colleagues; the client never reads it.")

    def validate_account(self, field: Field) -> None:
        try:
            UUID(field.data or "")
        except ValueError:
            raise StopValidation("Choose an account.") from None

    @property
    def account_id(self) -> UUID:
        """Of a form that is valid."""
        return UUID(self.account.data or "")


class ReturnForm(LateForm):
    fee = _line("Fee kept back", longest=40, render_kw={"inputmode": "decimal"})
    fee_bearer = RadioField(
        "Who bears the fee", choices=[("house", "The house"), ("payer", "The payer: less goes back")], default="house"
    )
    comment = _line("Why", required="Say why it goes back.", description="For colleagues and the second person.")
    #: for the amount of the fee; set by the view
    currency = "eur"

    def validate_fee(self, field: Field) -> None:
        try:
            found = self.fee_minor
        except (ValueError, ArithmeticError, NotRepresentable):
            raise StopValidation("Write an amount, like 5.00, or leave it empty.") from None
        if found < 0:
            raise StopValidation("A fee is not negative.")

    @property
    def fee_minor(self) -> int:
        typed = re.sub(r"\s", "", self.fee.data or "")
        typed = typed.replace(",", "") if "." in typed else typed.replace(",", ".")
        return Money.of(Decimal(typed), self.currency).minor_units if typed else 0


class ScreeningForm(SeenForm):
    list_name = _line("List", required="Name the list.", longest=100, description="Such as EU consolidated.")
    list_version = _line("Version, or date of the list", required="Say which version.", longest=100)
    result = RadioField(
        "Result",
        choices=[
            (ScreeningResult.CLEAR.value, "No hit"),
            (ScreeningResult.FALSE_POSITIVE.value, "False positive"),
            (ScreeningResult.HIT.value, "A hit: nothing goes back"),
        ],
        validators=[filled("Choose the result.")],
    )
    note = _line("Note", description="Needed for a false positive: what tells this person from the listed one.")


class KeepForm(SeenForm):
    until = Day("Look at it again on", validators=[filled("Choose a day.")])
    reason = _line("Why it is kept", required="Say why.")
    beyond_reason = _line(
        "Why later than the money must be settled", description="Only for a day after the time to resolve."
    )


class AskForm(SeenForm):
    text = TextAreaField(
        "Letter", validators=[filled("Write what is asked."), plain, at_most(LONGEST_TEXT)], filters=[stripped],
        render_kw={"rows": 9},
    )  # fmt: skip


class NoteForm(SeenForm):
    text = TextAreaField(
        "Note", validators=[filled("Write something."), plain, at_most(LONGEST_TEXT)], filters=[stripped],
        render_kw={"rows": 3},
    )  # fmt: skip


class ReplyForm(SeenForm):
    text = TextAreaField(
        "What the payer answered", validators=[Optional(), plain, at_most(LONGEST_TEXT)], filters=[stripped],
        render_kw={"rows": 4},
    )  # fmt: skip
    file = FileField("File", description="PDF, image or text, at most 5 MB.")

    def validate(self, extra_validators: Any = None) -> bool:
        right: bool = super().validate(extra_validators)
        if right and not self.text.data and not self.file.data:
            self.text.errors = ["Write the answer, or choose a file."]
            return False
        return right


class ReasonForm(SeenForm):
    reason = _line("Why", required="Say why.")
