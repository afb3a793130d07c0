"""The form that reopens a day."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import TextAreaField

from dashboard.treasury.days.services.reopening import LONGEST_REASON
from dashboard.web.fields import at_most, filled, plain, stripped


class ReopenForm(FlaskForm):
    """Why a day is opened again."""

    because = TextAreaField("Why", validators=[filled("Say why."), plain, at_most(LONGEST_REASON)], filters=[stripped],
                            description="It stands with the version for good.", render_kw={"rows": 3})  # fmt: skip
