"""The form of a block: scope, reason, what the client sees, when it is looked at again."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import RadioField, SelectField
from wtforms.validators import ValidationError

from dashboard.clients.forms.fields import Number, longer_text, text
from dashboard.clients.services.block import checked_review_date
from dashboard.clients.vocabulary import AUTOMATIC_CODES, BLOCK_CODE_LABELS, CLIENT_TEXTS, BlockCode, Scope
from dashboard.errors import Invalid
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS, Money, NotRepresentable
from dashboard.web.fields import Day

OWN_TEXT = "own"
SCOPES = [(Scope.ALL, "All"), (Scope.DEBIT, "Debit only"), (Scope.CREDIT, "Credit only"), (Scope.AMOUNT, "An amount…")]
CODES = [("", "Choose…"), *((c.value, BLOCK_CODE_LABELS[c]) for c in BlockCode if c not in AUTOMATIC_CODES)]
TEXTS = [*((key, title) for key, (title, _) in CLIENT_TEXTS.items()), (OWN_TEXT, "Own words")]


class _Coded(FlaskForm):
    code = SelectField("Internal code", choices=CODES, validate_choice=False, id="block-code")
    legal_reference = text("Legal reference", longest=200, marked=True, id="block-legal")
    comment = longer_text("Comment, staff only", marked=True, id="block-comment")

    def validate_code(self, field: SelectField) -> None:
        if field.data not in {value for value, _ in CODES} - {""}:
            raise ValidationError("Choose the reason.")

    @property
    def block_code(self) -> BlockCode:
        return BlockCode(self.code.data)


class StateReasonForm(_Coded):
    """The reason of a block that was placed without one."""


class BlockForm(_Coded):
    scope = RadioField("Scope", choices=[(s.value, label) for s, label in SCOPES], default=Scope.ALL.value)
    amount = Number("Amount", highest=LARGEST_MINOR_UNITS, decimals=3, id="block-amount")
    currency = SelectField(
        "Currency", choices=[(code, code.upper()) for code in DECIMALS], default="eur", id="block-currency"
    )
    client_text_choice = SelectField("Client text", choices=TEXTS, default="check", id="block-text")
    client_text = longer_text("Own words to the client", longest=500, id="block-own-text")
    review_date = Day("Review date", id="block-review")

    def validate_review_date(self, field: Day) -> None:
        """The service's own rule, asked early: every mistake of the form is told at once."""
        try:
            checked_review_date(field.data)
        except Invalid as refusal:
            raise ValidationError(refusal.errors[0].message) from None

    def validate_client_text(self, field: Any) -> None:
        if self.client_text_choice.data == OWN_TEXT and not field.data:
            raise ValidationError("Write what the client sees.")

    def validate_amount(self, field: Number) -> None:
        if self.scope.data != Scope.AMOUNT:
            return
        if field.data is None or field.data <= 0:
            raise ValidationError("Say which amount is blocked, greater than zero.")
        try:
            Money.of(field.data, self.currency.data)
        except NotRepresentable as error:
            raise ValidationError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None

    @property
    def block_scope(self) -> Scope:
        return Scope(self.scope.data)

    @property
    def money(self) -> Money | None:
        """The blocked amount; None for the other scopes, whatever was typed before."""
        if self.block_scope is not Scope.AMOUNT or self.amount.data is None:
            return None
        return Money.of(self.amount.data, self.currency.data)

    @property
    def chosen_text(self) -> str | None:
        """What the client sees."""
        if self.client_text_choice.data == OWN_TEXT:
            return str(self.client_text.data)
        return CLIENT_TEXTS[self.client_text_choice.data][1]
