"""Forms of balance checks."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from dashboard.approvals.services import LONGEST_REASON


class AcceptForm(FlaskForm):
    """Asking a second person to let a rebuilt balance stand."""

    reason = TextAreaField(
        "Why",
        validators=[
            InputRequired("Say why."),
            Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters."),
        ],
        id="accept-reason",
        render_kw={"rows": 3},
    )
