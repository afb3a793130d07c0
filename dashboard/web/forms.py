"""Putting a domain's findings beside the fields of a form."""

from __future__ import annotations

import re

from wtforms import Form

from dashboard.errors import DomainError, Invalid


def _in_form(field: str) -> str:
    """`reviewDate` and `address.zip`, as services spell them, to `review_date` and `address_zip`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", field.replace(".", "_")).lower()


def show_errors(form: Form, refusal: DomainError) -> None:
    """Errors of known fields go beside them, the rest above the form."""
    if isinstance(refusal, Invalid):
        for error in refusal.errors:
            field = form._fields.get(_in_form(error.field))
            if field is None:
                form.form_errors.append(error.message)
            else:
                field.errors = [*field.errors, error.message]
    else:
        form.form_errors.append(refusal.message)
