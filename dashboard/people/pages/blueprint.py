"""What the pages of staff and tokens share: the blueprint, tabs, who decides, and what guards handing out power."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, current_app, flash, request, url_for
from flask_wtf import FlaskForm

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals import queries as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.approvals.names import named, people_in_words
from dashboard.approvals.rows import RequestRow, rows
from dashboard.audit.queries import TimelineEntry
from dashboard.database import transaction
from dashboard.errors import DomainError, Forbidden, Invalid, NotFound
from dashboard.people import words
from dashboard.settings import Settings
from dashboard.staff.step_up import needs_step_up
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go

people = Blueprint("people", __name__)
View = TypeVar("View", bound=Callable[..., Any])


def hands_out_power(view: View) -> View:
    """Marks the views that make tokens, secrets and links: everything such a view carries stands here."""
    return requires(Permission.STAFF_WRITE, act="manage staff and tokens")(needs_step_up(view))


def takes_power(view: View) -> View:
    """Marks the views that keep people and machines out at once: a desk left open must not end everybody."""
    return hands_out_power(view)


def manages(view: View) -> View:
    """Marks the other views that change staff and tokens."""
    return requires(Permission.STAFF_WRITE, act="manage staff and tokens")(view)


def reads(view: View) -> View:
    """Marks the views that only show."""
    return requires(Permission.STAFF_MEMBERS)(view)


def may_manage() -> bool:
    """Whether the reader sees buttons."""
    return current_actor().may(Permission.STAFF_WRITE)


def _idle() -> timedelta:
    settings: Settings = current_app.extensions["countinghouse.settings"]
    return timedelta(minutes=settings.session_idle_minutes)


def who_decides(kind_key: str, about: UUID | None = None) -> str:
    """Who could be the second person for what the reader is about to ask, in words."""
    found = approvals.deciders_for(current_actor(), kind_key, idle=_idle(), about=about)
    return people_in_words(found, current_actor().id)


def waiting(requests: Iterable[ApprovalRequest]) -> list[RequestRow]:
    """Open requests as the reader may see them."""
    return rows(requests, actor=current_actor(), idle=_idle())


def refused(form: FlaskForm, refusal: DomainError) -> int:
    """Put the refusal where it belongs; gives the status. What no form can mend goes on."""
    if isinstance(refusal, NotFound | Forbidden):
        raise refusal
    show_errors(form, refusal)
    return 422 if refusal.status == 400 else refusal.status


def acted(form: FlaskForm, show: Callable[[int], Any], verb: Callable[[], Any], told: Sequence[str], back: str) -> Any:
    """The life of a dialog: shown, refused beside its fields, or done, told (words and role) and left for `back`."""
    if request.method == "GET":
        return show(200)
    if not form.validate():
        return show(422)
    try:
        with transaction():
            verb()
    except DomainError as refusal:
        return show(refused(form, refusal))
    flash(*told)
    return go(back)


def chosen(name: str, allowed: Iterable[str], words_for_them: str) -> str:
    """A filter of the URL; empty: any. Raises Invalid."""
    value = request.args.get(name, "").strip()
    if value and value not in allowed:
        raise Invalid.one(name, f"Choose {words_for_them}.", "enum")
    return value


def typed(name: str, longest: int = 100) -> str:
    """A text filter of the URL; NUL, which no stored text has, finds nothing anyhow."""
    return request.args.get(name, "").replace("\0", "").strip()[:longest]


def at(endpoint: str, values: Mapping[str, str], cursor: str | None) -> str | None:
    """The address of another page of the same list."""
    return f"{url_for(endpoint)}?{urlencode({**values, 'cursor': cursor})}" if cursor else None


def history(entries: Iterable[TimelineEntry]) -> list[dict[str, Any]]:
    """Events of the audit in words, newest first."""
    reader = current_actor().id
    listed = []
    for entry in entries:
        before, after = words.role_turn(entry.before, entry.after)
        listed.append(
            {
                "at": entry.at,
                "who": "you" if reader == entry.actor_id else named(entry.actor_kind, entry.actor_name),
                "what": words.said(entry.action),
                "before": before,
                "after": after if before else None,
                "reason": entry.reason,
            }
        )
    return listed
