"""A dialog is a page of its own and, for HTMX, the part of it that opens over another page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response
from flask_wtf import FlaskForm

from dashboard.clients import queries
from dashboard.clients.badges import status_badge
from dashboard.clients.models import Client
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.web.forms import show_errors
from dashboard.web.htmx import page_or_fragment


def attempt(form: FlaskForm, verb: Callable[[], Any]) -> int | None:
    """Check the form and run the verb. None: done; else the status to answer with, and the form says why."""
    if not form.validate():
        return 422
    try:
        with transaction():
            verb()
    except (Invalid, Conflict, Refused) as refusal:
        show_errors(form, refusal)
        return 422 if isinstance(refusal, Invalid) else refusal.status
    return None


def dialog(
    client: Client, fragment: str, *, title: str, form: FlaskForm, status: int = 200, **context: Any
) -> Response:
    """`fragment` is the template of the form; it also stands on the full page, under the client's name."""
    return page_or_fragment(
        "clients/dialog.html",
        fragment,
        status=status,
        client=client,
        state_now=status_badge(client, queries.freezes([client]).get(client.id)),
        part=fragment,
        title=title,
        form=form,
        answered=status,
        **context,
    )
