"""Forms of opening balances: the upload, and taking it back."""

from __future__ import annotations

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from dashboard.approvals.services import LONGEST_REASON


class UploadForm(FlaskForm):
    file = FileField("File", validators=[FileRequired("Choose a CSV file.")], id="opening-file")
    reason = TextAreaField(
        "Why",
        filters=[lambda text: (text or "").strip() or None],
        validators=[
            InputRequired("Say why."),
            Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters."),
        ],
        id="opening-reason",
        render_kw={"rows": 3},
    )


class DropForm(FlaskForm):
    """Nothing but the confirmation."""
