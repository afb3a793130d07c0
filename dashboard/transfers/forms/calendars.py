"""The form that says something of a day."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import DateField, RadioField, StringField
from wtforms.validators import InputRequired, Length

from dashboard.transfers.services.calendars import LONGEST_NAME


class _Day(DateField):
    """An impossible date is an error beside the field and stays as typed."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("Write the date as 2026-03-13.") from None


class CalendarDayForm(FlaskForm):
    country = StringField("Country", validators=[InputRequired("Write a country as two letters, such as LT."),
                          Length(max=2, message="Write a country as two letters, such as LT.")],
                          id="calendar-country")  # fmt: skip
    day = _Day("Day", validators=[InputRequired("Choose a day.")], id="calendar-day")
    working = RadioField("What it is", choices=[("no", "A holiday"), ("yes", "A day on which people work")],
                         validators=[InputRequired("Say what the day is.")], id="calendar-working")  # fmt: skip
    name = StringField("Name", validators=[InputRequired("Give the day a name; colleagues read it in messages."),
                       Length(max=LONGEST_NAME, message=f"Use at most {LONGEST_NAME} characters.")],
                       id="calendar-name")  # fmt: skip
