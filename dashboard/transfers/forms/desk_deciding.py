"""Forms of the desk: assign, send back, keep, ask, note, undo, and the rule for a payer."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import DateField, Field, HiddenField, RadioField, StringField, TextAreaField
from wtforms.validators import Length, Optional, StopValidation

from dashboard.money import Money, NotRepresentable
from dashboard.transfers.vocabulary import ScreeningResult

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
LONGEST_REASON = 500
LONGEST_TEXT = 4000
#: as the table has it
LARGEST_FILE = 5 * 1024 * 1024


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


def _line(label: str, *, required: str | None = None, longest: int = LONGEST_REASON, **options: Any) -> StringField:
    first = _filled(required) if required else Optional()
    return StringField(label, validators=[first, _plain, _at_most(longest)], filters=[_stripped], **options)


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
    account = HiddenField(validators=[_filled("Choose an account.")])
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
        validators=[_filled("Choose the result.")],
    )
    note = _line("Note", description="Needed for a false positive: what tells this person from the listed one.")


class KeepForm(SeenForm):
    until = Day("Look at it again on", validators=[_filled("Choose a day.")])
    reason = _line("Why it is kept", required="Say why.")
    beyond_reason = _line(
        "Why later than the money must be settled", description="Only for a day after the time to resolve."
    )


class AskForm(SeenForm):
    text = TextAreaField(
        "Letter", validators=[_filled("Write what is asked."), _plain, _at_most(LONGEST_TEXT)], filters=[_stripped],
        render_kw={"rows": 9},
    )  # fmt: skip


class NoteForm(SeenForm):
    text = TextAreaField(
        "Note", validators=[_filled("Write something."), _plain, _at_most(LONGEST_TEXT)], filters=[_stripped],
        render_kw={"rows": 3},
    )  # fmt: skip


class ReplyForm(SeenForm):
    text = TextAreaField(
        "What the payer answered", validators=[Optional(), _plain, _at_most(LONGEST_TEXT)], filters=[_stripped],
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
