"""Forms of the page of jobs."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from dashboard.jobs.services import LONGEST_REASON


class PauseForm(FlaskForm):
    """Saying why the clock is not to start a job."""

    reason = TextAreaField(
        "Why",
        validators=[
            InputRequired("Say why it is paused."),
            Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters."),
        ],
        id="pause-reason",
        render_kw={"rows": 3},
    )
