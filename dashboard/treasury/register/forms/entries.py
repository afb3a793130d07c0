"""Forms that ask to change the register."""

from __future__ import annotations

from datetime import date, time
from typing import Any

from flask_wtf import FlaskForm
from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import Optional, StopValidation

from dashboard.approvals.services import LONGEST_REASON
from dashboard.money import DECIMALS
from dashboard.treasury.register.services.changing import LONGEST_NAME
from dashboard.treasury.register.services.entries import FORMAT_LABELS, Entry
from dashboard.treasury.vocabulary import POOL_LABELS, PURPOSE_LABELS
from dashboard.web.fields import Day, at_most, filled, plain, stripped


class Clock(StringField):
    """A time of day in whole minutes; `moment` of one that is valid."""

    def pre_validate(self, form: Any) -> None:
        if self.data and self.moment is None:
            raise StopValidation("Write the time as 07:30.")

    @property
    def moment(self) -> time | None:
        try:
            return time.fromisoformat(self.data) if self.data and len(self.data) == 5 else None
        except ValueError:
            return None


class _Entry(FlaskForm):
    purpose = SelectField("Purpose", choices=[("", "Choose"), *((p.value, word) for p, word in PURPOSE_LABELS.items())],
                          validators=[filled("Say what it is for.")])  # fmt: skip
    pool = SelectField("Pool", choices=[("", "None"), *((p.value, word) for p, word in POOL_LABELS.items())],
                       description="Which clients’ money lies there; none for own funds.")  # fmt: skip
    designated_from = Day("Designated from", validators=[Optional()], description="Safeguarding accounts only.")
    designated_to = Day("Designated to", validators=[Optional()], description="The last day; empty while it lasts.")
    statement_format = SelectField(
        "Statements", choices=[("", "None"), *((f.value, word) for f, word in FORMAT_LABELS.items())],
        description="How the bank’s statements come.",
    )  # fmt: skip
    expected_at = Clock("Expected by", validators=[Optional(), plain, at_most(5)], filters=[stripped],
                        description="Time of the day after, in our zone, like 07:30.")  # fmt: skip
    calendar = StringField("Calendar", validators=[filled("Write a country as two letters, such as LT."), plain,
                           at_most(2)], filters=[stripped],
                           description="Country whose holidays the bank keeps.")  # fmt: skip
    reason = TextAreaField("Why", validators=[filled("Say why."), plain, at_most(LONGEST_REASON)], filters=[stripped],
                           description="The second person reads this.", render_kw={"rows": 3})  # fmt: skip

    def _closed_on(self) -> date | None:
        return None

    @property
    def entry(self) -> Entry:
        """Of a form that is valid; the service looks at its rules."""
        return Entry(
            pool=self.pool.data or None,
            purpose=self.purpose.data or "",
            designated_from=self.designated_from.data,
            designated_to=self.designated_to.data,
            statement_format=self.statement_format.data or None,
            expected_at=self.expected_at.moment,
            calendar=self.calendar.data or "",
            closed_on=self._closed_on(),
        )


class ChangeForm(_Entry):
    """What the register says of a bank account."""

    closed_on = Day("Closed on", validators=[Optional()], description="Only when nothing lies there any more.")

    def _closed_on(self) -> date | None:
        closed: date | None = self.closed_on.data
        return closed


class NewAccountForm(_Entry):
    """A new bank account, and what the register says of it."""

    provider = StringField("Bank or provider", validators=[filled("Write the provider’s key, such as bank-alpha."),
                           plain, at_most(50)], filters=[stripped],
                           description="Its key: small letters, digits and hyphens.")  # fmt: skip
    name = StringField("Name", validators=[filled("Give it a name; colleagues read it in lists."), plain,
                       at_most(LONGEST_NAME)], filters=[stripped])  # fmt: skip
    number = StringField("Number", validators=[filled("Write the IBAN or the bank’s own number."), plain, at_most(60)],
                         filters=[stripped], description="IBAN, or the bank’s own number.")  # fmt: skip
    currency = SelectField("Currency", choices=[("", "Choose"), *((c, c.upper()) for c in DECIMALS)],
                           validators=[filled("Choose a currency.")])  # fmt: skip


class PoolForm(FlaskForm):
    """A client account that belongs to another pool."""

    account = StringField("Client account", validators=[filled("Write the IBAN of the account."), plain, at_most(60)],
                          filters=[stripped], description="The whole IBAN.")  # fmt: skip
    pool = SelectField("Pool", choices=[(p.value, word) for p, word in POOL_LABELS.items()])
    reason = TextAreaField("Why", validators=[filled("Say why."), plain, at_most(LONGEST_REASON)], filters=[stripped],
                           description="The second person reads this.", render_kw={"rows": 3})  # fmt: skip
