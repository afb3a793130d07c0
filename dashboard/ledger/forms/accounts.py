"""Forms of accounts: opening, renaming, closing."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask_wtf import FlaskForm
from wtforms import RadioField, SelectField, StringField
from wtforms.validators import Length, ValidationError

from dashboard.ledger.services.accounts import LONGEST_ALIAS, LONGEST_PROVIDER
from dashboard.ledger.vocabulary import ACCOUNT_TYPE_LABELS, OPENED_BY_API, AccountType
from dashboard.money import DECIMALS, Money, NotRepresentable

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_AMOUNT = re.compile(r"\d{1,18}([.,]\d{1,18})?")


def _line(label: str, longest: int, **options: Any) -> StringField:
    def plain(_form: Any, field: StringField) -> None:
        if field.data and _CONTROL.search(field.data):
            raise ValidationError("Write one line without control characters.")

    too_long = Length(max=longest, message=f"Use at most {longest} characters.")
    stripped = [lambda text: (text or "").strip() or None]
    return StringField(label, filters=stripped, validators=[plain, too_long], **options)


class OpenForm(FlaskForm):
    """A new account. `client` is what the client was searched by, `owner` the one that was chosen."""

    type = SelectField(
        "Type",
        choices=[(kind.value, ACCOUNT_TYPE_LABELS[kind]) for kind in OPENED_BY_API],
        default=AccountType.CLIENT.value,
    )
    client = _line("Client: name, e-mail, phone, number or id", 200)
    owner = RadioField("Which client", choices=[], validate_choice=False)
    currency = SelectField("Currency", choices=[(code, code.upper()) for code in DECIMALS], default="eur")
    alias = _line("Name", LONGEST_ALIAS)
    provider = _line("Provider", LONGEST_PROVIDER)
    overdraft_limit = _line("Overdraft limit", 40)

    @property
    def kind(self) -> AccountType:
        return AccountType(self.type.data)

    @property
    def owner_id(self) -> UUID | None:
        """The chosen client; None for an account of the house."""
        if self.kind is not AccountType.CLIENT:
            return None
        try:
            return UUID(self.owner.data or "")
        except ValueError:
            return None

    def validate_owner(self, _field: RadioField) -> None:
        if self.type.data == AccountType.CLIENT and self.owner_id is None:
            raise ValidationError("Find the client, then choose one.")

    def validate_overdraft_limit(self, field: StringField) -> None:
        if not field.data:
            return
        if not _AMOUNT.fullmatch(_without_blanks(field.data)):
            raise ValidationError("Write an amount, like 500.00.")
        if self.type.data != AccountType.CLIENT:
            raise ValidationError("Only client accounts have a limit.")
        try:
            self._money(field.data)
        except NotRepresentable as refusal:
            raise ValidationError(f"{str(refusal)[:1].upper()}{str(refusal)[1:]}.") from None

    def _money(self, typed: str) -> Money:
        return Money.of(Decimal(_without_blanks(typed).replace(",", ".")), self.currency.data)

    @property
    def limit_minor(self) -> int:
        """How far the account may go below zero, in minor units."""
        return self._money(self.overdraft_limit.data).minor_units if self.overdraft_limit.data else 0


def _without_blanks(text: str) -> str:
    return re.sub(r"\s", "", text)


class RenameForm(FlaskForm):
    """An account's name; empty takes it away."""

    alias = _line("Name", LONGEST_ALIAS, description="Empty: the account has no name.")


class CloseForm(FlaskForm):
    """Closing reads back what is closed and asks for nothing else."""
