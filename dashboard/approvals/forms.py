"""Forms of approvals."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import HiddenField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from dashboard.approvals.ruling import LEAST_HOURS, MOST_HOURS
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


class TicksField(SelectMultipleField):
    """Several of a few, each with a box to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class DecidingForm(FlaskForm):
    """Another rule of how requests of a kind are decided. What is missing is told together with what does not fit."""

    hours = StringField(
        "Expires after",
        validators=[Length(max=5, message="Write a number of business hours.")],
        description=f"Business hours, {LEAST_HOURS} to {MOST_HOURS}. Empty: as installed.",
        id="rule-hours",
        render_kw={"inputmode": "numeric", "autocomplete": "off"},
    )
    deciders = TicksField(
        "Who decides",
        validate_choice=False,
        description="Leaving out a role takes effect at once, also for requests that wait. One of the two is senior.",
        id="rule-deciders",
    )
    reason = TextAreaField(
        "Why",
        validators=[Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters.")],
        description="The second person reads it, and it stays with the rule.",
        id="rule-reason",
        render_kw={"rows": 2},
    )

    def business_hours(self) -> int | None:
        """As typed; None where nothing was. What is no number is 0, which no rule takes."""
        typed = (self.hours.data or "").strip()
        if not typed:
            return None
        return int(typed) if typed.isascii() and typed.isdigit() else 0
