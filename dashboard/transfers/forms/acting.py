"""Forms of what people do with a transfer: each asks why."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import RadioField

from dashboard.clients.forms.fields import longer_text, text
from dashboard.transfers.services.lifecycle import LONGEST_REASON

EXECUTED, REJECTED = "executed", "rejected"


class ReasonForm(FlaskForm):
    """Why it goes on, or why it ends."""

    reason = longer_text("Why", longest=LONGEST_REASON, required="Say why.", id="transfer-reason")


class ExecuteForm(FlaskForm):
    """What the provider said became of it, and how that is known."""

    outcome = RadioField(
        "The provider says", choices=[(EXECUTED, "It was executed"), (REJECTED, "It was rejected")], default=EXECUTED
    )
    provider_reference = text(
        "Provider’s reference", longest=140, id="provider-reference", description="Needed where it was executed."
    )
    reason_code = text(
        "Reason code", longest=35, id="reason-code", description="Needed where it was rejected, such as AC04."
    )
    comment = longer_text(
        "How you know", longest=LONGEST_REASON, required="Say how you know.", id="execute-comment",
        description="The second person reads this; clients never do.",
    )  # fmt: skip
