"""Putting a domain's findings beside the fields of a form."""

from __future__ import annotations

from wtforms import Form

from dashboard.errors import DomainError, Invalid


def show_errors(form: Form, refusal: DomainError) -> None:
    """Errors of known fields go beside them, the rest above the form."""
    if isinstance(refusal, Invalid):
        for error in refusal.errors:
            field = form._fields.get(error.field.replace(".", "_"))
            if field is None:
                form.form_errors.append(error.message)
            else:
                field.errors = [*field.errors, error.message]
    else:
        form.form_errors.append(refusal.message)
