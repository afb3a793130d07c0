"""The form that ends a business day."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import BooleanField, DateField, HiddenField, TextAreaField


class _Day(DateField):
    """A plain date; an impossible one is an error beside the field and stays as typed."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist or not valuelist[0].strip():
            self.data = None
            return
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("Write the date as 2026-03-13.") from None


class EndDayForm(FlaskForm):
    """`day` is the day that the person read back: another one is never ended instead."""

    day = HiddenField("Day")
    next_day = _Day("Next business day", id="end-next-day")
    #: asked only for a day that the calendar has not reached
    ahead = BooleanField("End it anyway", id="end-ahead")
    reason = TextAreaField("Why", id="end-reason", render_kw={"rows": 2})
