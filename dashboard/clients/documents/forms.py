"""Forms of documents: an upload, and what is decided about one."""

from __future__ import annotations

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import HiddenField, SelectField
from wtforms.validators import ValidationError

from dashboard.clients.documents.vocabulary import (
    CATEGORY_LABELS,
    REJECTION_LABELS,
    DocumentCategory,
    DocumentRejection,
    DocumentState,
)
from dashboard.clients.forms.fields import longer_text
from dashboard.web.fields import Day

CATEGORIES = [(category.value, CATEGORY_LABELS[category]) for category in DocumentCategory]
REASONS = [("", "Choose…"), *((reason.value, REJECTION_LABELS[reason]) for reason in DocumentRejection)]
#: what a file dialog offers; the bytes decide
ACCEPTED = ".jpg,.jpeg,.png,.webp,.pdf,image/jpeg,image/png,image/webp,application/pdf"


class _Categorized(FlaskForm):
    category = SelectField("Kind", choices=CATEGORIES, id="document-category")
    expiry_date = Day("Expires on", id="document-expiry")

    @property
    def chosen_category(self) -> DocumentCategory:
        return DocumentCategory(self.category.data)


class UploadForm(_Categorized):
    file = FileField("File", validators=[FileRequired("Choose a file.")], id="document-file")


class _Decision(FlaskForm):
    #: the state that the person looked at
    seen = HiddenField()

    @property
    def seen_state(self) -> DocumentState | None:
        return DocumentState(self.seen.data) if self.seen.data in set(DocumentState) else None


class AcceptForm(_Categorized, _Decision):
    comment = longer_text("Comment, staff only", marked=True, id="accept-comment")


class RejectForm(_Decision):
    reason = SelectField("Reason", choices=REASONS, validate_choice=False, id="reject-reason")
    comment = longer_text("Comment, staff only", marked=True, id="reject-comment")

    def validate_reason(self, field: SelectField) -> None:
        if field.data not in set(DocumentRejection):
            raise ValidationError("Choose the reason.")

    @property
    def chosen_reason(self) -> DocumentRejection:
        return DocumentRejection(self.reason.data)


class WithdrawForm(FlaskForm):
    reason = longer_text("Why", required="Say why it is withdrawn.", id="withdraw-reason")
