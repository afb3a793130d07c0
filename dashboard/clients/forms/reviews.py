"""Forms of a periodic review, of marks, and of whose a flag is."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, RadioField, SelectField
from wtforms.validators import ValidationError

from dashboard.clients.forms.fields import HiddenNumber, longer_text, text
from dashboard.clients.services.marks import LONGEST_COMMENT, LONGEST_SOURCE
from dashboard.clients.services.review import LONGEST_REASONS
from dashboard.clients.vocabulary import MARK_LABELS, OUTCOME_LABELS, MarkKind, Outcome, Risk
from dashboard.web.fields import Day

RISKS = [(str(risk.value), risk.label) for risk in Risk if risk is not Risk.NOT_SET]


class ReviewForm(FlaskForm):
    """`version` and `seen` are what the reviewer looked at: the client's version and its last review."""

    version = HiddenNumber()
    seen = HiddenField()
    risk_level = RadioField("Risk, assessed anew", choices=RISKS, validate_choice=False, id="review-risk")
    outcome = RadioField(
        "Outcome", choices=[(one.value, OUTCOME_LABELS[one]) for one in Outcome], validate_choice=False,
        id="review-outcome",
    )  # fmt: skip
    reasons = longer_text(
        "What you found and why", longest=LONGEST_REASONS, required="Say what you found and why.", id="review-reasons"
    )
    next_on = Day("Next review", id="review-next")
    lift_restriction = BooleanField("Ask to lift the block that the late review has placed", id="review-lift")

    def validate_risk_level(self, field: RadioField) -> None:
        if field.data not in dict(RISKS):
            raise ValidationError("Choose the risk: low, medium, high or prohibited.")

    def validate_outcome(self, field: RadioField) -> None:
        if field.data not in set(Outcome):
            raise ValidationError("Choose what the review comes to.")


class MarkForm(FlaskForm):
    """Opening a mark. Kinds and people are those that the reader may choose."""

    kind = RadioField("Kind", choices=[(kind.value, MARK_LABELS[kind]) for kind in MarkKind], validate_choice=False,
                      id="mark-kind")  # fmt: skip
    about = SelectField("About", validate_choice=False, filters=[lambda v: v or None], id="mark-about")
    list_name = text("List or source", longest=LONGEST_SOURCE, required="Say which list or source it is.",
                     id="mark-list")  # fmt: skip
    list_version = text("Its version or date", longest=LONGEST_SOURCE, marked=True, id="mark-version")
    said_by = text("Who or what says so", longest=LONGEST_SOURCE, required="Say who or what says so.", id="mark-said")
    reference = text("Reference", longest=LONGEST_SOURCE, marked=True, id="mark-reference")
    comment = longer_text("Comment, staff only", longest=LONGEST_COMMENT, marked=True, id="mark-comment")

    def validate_kind(self, field: RadioField) -> None:
        offered = [choice[0] for choice in field.choices or ()]
        if field.data not in offered:
            raise ValidationError("Choose PEP or sanctions." if len(offered) > 1 else "Choose the kind.")


class EndMarkForm(FlaskForm):
    reason = longer_text("Why it ends", longest=LONGEST_COMMENT, required="Say why it ends.", id="mark-reason")


class OwnerForm(FlaskForm):
    """Whose a flag is. `seen` is who had it when the dialog opened."""

    seen = HiddenField()
    owner = SelectField("Owner", validate_choice=False, filters=[lambda v: v or None], id="flag-owner")
