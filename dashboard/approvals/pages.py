"""Pages of approvals: what waits for me, what I asked, one request, and the three ways to close it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, flash, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals import queries, services
from dashboard.approvals.forms import ConfirmForm, RejectForm
from dashboard.approvals.kinds import kind_of
from dashboard.approvals.models import ApprovalRequest
from dashboard.approvals.queries import Place
from dashboard.approvals.rows import RequestRow, details_of, rows
from dashboard.clock import BusinessCalendar
from dashboard.database import transaction
from dashboard.errors import Conflict, DomainError, Forbidden
from dashboard.settings import Settings
from dashboard.staff.sessions import safe_next
from dashboard.staff.step_up import needs_step_up
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, neighbours, unseal

approvals = Blueprint("approvals", __name__, url_prefix="/approvals")

VIEWS = {"me": "For me", "mine": "Asked by me", "open": "All open", "closed": "Closed"}


def _settings() -> Settings:
    settings: Settings = current_app.extensions["countinghouse.settings"]
    return settings


def _calendar() -> BusinessCalendar:
    return BusinessCalendar(_settings().institution_country, _settings().zone)


def _rows(requests: list[ApprovalRequest]) -> list[RequestRow]:
    idle = timedelta(minutes=_settings().session_idle_minutes)
    return rows(requests, actor=current_actor(), idle=idle)


@approvals.get("")
@requires(Permission.APPROVALS_READ)
def index() -> str:
    """Requests: `view` me, mine, open or closed; `due=today` narrows what waits for me."""
    actor = current_actor()
    decides = queries.may_decide_anything(actor)
    views = VIEWS if decides else {key: VIEWS[key] for key in ("open", "closed")}
    view = request.args.get("view", "")
    if view not in views:
        view = next(iter(views))
    due_today = view == "me" and request.args.get("due") == "today"
    bound = ["approvals", view, due_today]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge: Place | None = None
    if position is not None:
        edge = datetime.fromisoformat(position.key[0]), UUID(position.key[1])
    backwards = position is not None and position.backwards
    found = queries.page(
        actor=actor,
        view=view,
        calendar=_calendar(),
        due_today=due_today,
        after=None if backwards else edge,
        before=edge if backwards else None,
        limit=DEFAULT_PAGE_SIZE + 1,
    )
    shown, before, after = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda r: [r.expires_at.isoformat(), str(r.id)], bound=bound
    )
    due = "today" if due_today else None

    def at(cursor: str | None) -> str | None:
        return url_for(".index", view=view, due=due, cursor=cursor) if cursor else None

    return render_template(
        "approvals/index.html",
        view=view,
        views=[{"key": key, "label": label, "url": url_for(".index", view=key)} for key, label in views.items()],
        due_today=due_today,
        rows=_rows(shown),
        decides=decides,
        role_label=ROLES[Role(actor.role)].label,
        waiting=queries.count_for(actor, _calendar()).mine if decides else 0,
        prev_url=at(before),
        next_url=at(after),
    )


@approvals.get("/<uuid:request_id>")
@requires(Permission.APPROVALS_READ)
def show(request_id: UUID) -> str:
    """One request: what would change, who asked, who may decide, what became of it."""
    return render_template("approvals/show.html", row=_rows([queries.get(request_id, actor=current_actor())])[0])


def _destination(asked: ApprovalRequest, wanted: str | None) -> str:
    """Where the person came from, else the client that it is about, or what an approved request made."""
    if wanted:
        return safe_next(wanted)
    detail = details_of([asked], current_actor()).get(asked.id)
    if detail is not None and detail.links and asked.state == "approved":
        return detail.links[0].url
    if asked.client_id is not None and current_actor().may(Permission.CLIENTS_READ):
        return f"/clients/{asked.client_id}"
    return url_for(".index")


def _dialog(act: str, asked: ApprovalRequest, form: ConfirmForm, status: int = 200) -> Any:
    return page_or_fragment(
        "approvals/decide.html",
        f"approvals/_{act}.html",
        status=status,
        act=act,
        row=_rows([asked])[0],
        form=form,
        close_url=_destination(asked, form.next.data),
    )


def _not_yours(asked: ApprovalRequest, refusal: str) -> Any:
    """No administrator can help here: say who can, and what this reader can do instead."""
    return page_or_fragment(
        "approvals/refused.html", "approvals/_refused.html", status=403, row=_rows([asked])[0], refusal=refusal
    )


def _in_zone(moment: datetime) -> str:
    shown: str = current_app.jinja_env.filters["moment_short"](moment)
    return shown


def _tell(closed: ApprovalRequest) -> None:
    kind = kind_of(closed.kind)
    about = kind.about(closed.subject)
    told = kind.closed(closed) if kind.closed is not None else None
    if told:
        flash(told, "wait" if closed.state in {"expired", "stale"} else "ok")
    elif closed.state == "approved":
        flash(f"{kind.done} {closed.subject}.", "ok")
    elif closed.state == "rejected":
        flash(f"Rejected: {about}.", "ok")
    elif closed.state == "withdrawn":
        flash(f"Withdrawn: {about}.", "ok")
    elif closed.state == "expired":
        flash(f"This request expired on {_in_zone(closed.expires_at)}. Nothing was changed. Ask again.", "wait")
    else:
        change = queries.changed_since(closed, actor=current_actor())
        what = f"{change.who} {change.did} on {_in_zone(change.at)}" if change else "the client changed meanwhile"
        flash(f"This request has gone stale: {what}. Nothing was changed by you. Ask again.", "wait")


def _close(act: str, request_id: UUID, form: ConfirmForm) -> Any:
    """Show the dialog, or do what it confirms. Outcomes expired and stale are committed and told."""
    actor = current_actor()
    asked = queries.get(request_id, actor=actor)
    if request.method == "GET":
        form.next.data = request.args.get("next", "")
        if asked.state != "requested":
            return go(url_for(".show", request_id=request_id))
        refusal = services.why_not(asked, actor)
        if act == "withdraw":
            refusal = None if asked.maker_id == actor.id else "Only the person who asked can withdraw it."
        if refusal:
            return _not_yours(asked, refusal)
        return _dialog(act, asked, form)
    if not form.validate():
        return _dialog(act, asked, form, 422)
    try:
        with transaction():
            if act == "withdraw":
                closed = services.withdraw(request_id, by=actor)
            else:
                reason = form.reason.data if isinstance(form, RejectForm) else None
                closed = services.decide(request_id, approve=act == "approve", reason=reason, by=actor)
    except Forbidden as refusal:
        with transaction():
            services.tell_refusal(queries.get(request_id, actor=actor), act=act, why=refusal.message, by=actor)
        return _not_yours(asked, refusal.message)
    except DomainError as refusal:
        if isinstance(refusal, Conflict) and refusal.code == "alreadyDecided":
            flash(f"{refusal.message} Nothing was changed by you.", "wait")
            return go(_destination(asked, form.next.data))
        show_errors(form, refusal)
        return _dialog(act, asked, form, 422)
    _tell(closed)
    return go(_destination(closed, form.next.data))


@approvals.route("/<uuid:request_id>/approve", methods=["GET", "POST"])
@requires(Permission.APPROVALS_READ)
@needs_step_up
def approve(request_id: UUID) -> AnyResponse | Any:
    """Read back what will happen, then do it."""
    return _close("approve", request_id, ConfirmForm())


@approvals.route("/<uuid:request_id>/reject", methods=["GET", "POST"])
@requires(Permission.APPROVALS_READ)
def reject(request_id: UUID) -> AnyResponse | Any:
    """Say why not."""
    return _close("reject", request_id, RejectForm())


@approvals.route("/<uuid:request_id>/withdraw", methods=["GET", "POST"])
@requires(Permission.APPROVALS_READ)
def withdraw(request_id: UUID) -> AnyResponse | Any:
    """The person who asked takes it back."""
    return _close("withdraw", request_id, ConfirmForm())
