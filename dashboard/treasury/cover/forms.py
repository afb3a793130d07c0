"""Forms that ask for covers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, SelectField, StringField, TextAreaField
from wtforms.validators import Optional, StopValidation

from dashboard.approvals.services import LONGEST_REASON
from dashboard.money import DECIMALS, Money, NotRepresentable
from dashboard.treasury.cover.services import Entry
from dashboard.treasury.cover.services.entries import LONGEST
from dashboard.treasury.cover.vocabulary import KIND_LABELS
from dashboard.treasury.vocabulary import POOL_LABELS
from dashboard.web.fields import Day, at_most, filled, plain, stripped


def _day(sentence: str) -> Any:
    """A validator: a day stands there, and it is one."""

    def check(_form: Any, field: Field) -> None:
        if field.data is None and not field.errors:
            raise StopValidation(sentence)

    return check


class ChangeForm(FlaskForm):
    """What may change of a cover."""

    valid_to = Day("Valid to", validators=[Optional()], description="The last day; only assets may have none.")
    review_on = Day("Review on", validators=[_day("Say when it is looked at again.")])
    reason = TextAreaField("Why", validators=[filled("Say why."), plain, at_most(LONGEST_REASON)], filters=[stripped],
                           description="The second person reads this.", render_kw={"rows": 3})  # fmt: skip


class NewForm(FlaskForm):
    """A new cover."""

    pool = SelectField("Pool", choices=[(p.value, word) for p, word in POOL_LABELS.items()])
    currency = SelectField("Currency", choices=[("", "Choose"), *((c, c.upper()) for c in DECIMALS)],
                           validators=[filled("Choose a currency.")])  # fmt: skip
    kind = SelectField("Kind", choices=[("", "Choose"), *((k.value, word) for k, word in KIND_LABELS.items())],
                       validators=[filled("Say what it is.")])  # fmt: skip
    issuer = StringField("Issuer", validators=[filled("Write who promises it, or keeps the assets."), plain,
                         at_most(LONGEST)], filters=[stripped],
                         description="Insurer, guarantor, or who keeps the assets.")  # fmt: skip
    reference = StringField("Reference", validators=[filled("Write its number."), plain, at_most(LONGEST)],
                            filters=[stripped],
                            description="Of the policy, the guarantee or the custody account.")  # fmt: skip
    amount = StringField("Amount", validators=[filled("Write an amount like 250000.00."), plain, at_most(40)],
                         filters=[stripped],
                         description="What it covers; of assets, their value less a haircut.")  # fmt: skip
    valid_from = Day("Valid from", validators=[_day("Say from which day it counts.")])
    valid_to = Day("Valid to", validators=[Optional()], description="The last day; only assets may have none.")
    review_on = Day("Review on", validators=[_day("Say when it is looked at again.")])
    reason = TextAreaField("Why", validators=[filled("Say why."), plain, at_most(LONGEST_REASON)], filters=[stripped],
                           description="The second person reads this.", render_kw={"rows": 3})  # fmt: skip

    def validate_amount(self, field: Field) -> None:
        """In the decimals of the currency."""
        if self.currency.data and self._minor() is None:
            raise StopValidation(f"Write an amount in {self.currency.data.upper()} like 250000.00.")

    def _minor(self) -> int | None:
        text = (self.amount.data or "").replace(" ", "").replace("\u00a0", "").replace(",", "")
        try:
            return Money.of(Decimal(text), self.currency.data).minor_units
        except (InvalidOperation, NotRepresentable):
            return None

    @property
    def entry(self) -> Entry:
        """Of a form that is valid; the service looks at its rules."""
        first, review = self.valid_from.data, self.review_on.data
        assert isinstance(first, date) and isinstance(review, date)  # validated
        return Entry(
            pool=self.pool.data, currency=self.currency.data, kind=self.kind.data, issuer=self.issuer.data or "",
            reference=self.reference.data or "", amount_minor=self._minor() or 0, valid_from=first,
            valid_to=self.valid_to.data, review_on=review,
        )  # fmt: skip
