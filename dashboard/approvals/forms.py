"""Forms of approvals."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import HiddenField, TextAreaField
from wtforms.validators import InputRequired, Length

from dashboard.approvals.services import LONGEST_REASON


class ConfirmForm(FlaskForm):
    """Approving and withdrawing: nothing to fill in, only to confirm."""

    next = HiddenField()


class RejectForm(ConfirmForm):
    reason = TextAreaField(
        "Why",
        validators=[
            InputRequired("Say why."),
            Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters."),
        ],
        description="The person who asked reads it.",
        render_kw={"rows": 3},
    )


class AskResetForm(ConfirmForm):
    """Asking to reset what a colleague signs in with."""

    reason = TextAreaField(
        "Why",
        validators=[
            InputRequired("Say why."),
            Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters."),
        ],
        description="How you know that it is them who asks. The person who decides reads it.",
        render_kw={"rows": 3},
    )


class BulkForm(FlaskForm):
    """Many at once: approving needs nothing but the confirmation, rejecting one reason for all."""

    reason = TextAreaField(
        "Why",
        validators=[Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters.")],
        description="Everybody who asked reads it.",
        render_kw={"rows": 3},
    )
