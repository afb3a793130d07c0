"""Forms of the page of daily checks."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from dashboard.treasury.alerts.services import LONGEST_REASON


class SettleForm(FlaskForm):
    """Saying what was done about an alert."""

    reason = TextAreaField(
        "What was done",
        validators=[
            InputRequired("Say what was done about it."),
            Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters."),
        ],
        id="settle-reason",
        render_kw={"rows": 3},
    )
