"""The periodic review of one client: what changed since the last one, and the form that completes it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from flask import Response, flash, make_response, render_template, request, url_for

from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import marking, queries, reviewing, services, story
from dashboard.clients.badges import risk_badge, severity_badge, status_badge
from dashboard.clients.calendar import calendar
from dashboard.clients.forms.reviews import ReviewForm
from dashboard.clients.models import Client
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.pages.deciders import who_can_decide
from dashboard.clients.pages.show import TABS
from dashboard.clients.periods import periods
from dashboard.clients.services.plan import identity_documents, limits
from dashboard.clients.services.review import latest_day, restriction_of
from dashboard.clients.services.risk import KIND as LOWER_RISK
from dashboard.clients.vocabulary import Risk
from dashboard.database import transaction
from dashboard.errors import Conflict, Forbidden, Invalid, Refused
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go

CHANGES = 20
#: tabs of the client that a reviewer looks into as well
LOOK_AT = ("verification", "documents", "transfers", "related")
#: what moves money has its own part of the page, and who took an item is no change of the client
NOT_SHOWN = ("transfer", "receipt", "incomingRequest", "recipient", "payment", "queue_item")


class Latest(NamedTuple):
    """The latest day of the next review by one risk; `why` where something else than the period bounds it."""

    risk: str
    day: date
    why: str


@clients.route("/<uuid:client_id>/review", methods=["GET", "POST"])
@requires(Permission.CLIENTS_REVIEW)
def review(client_id: UUID) -> Any:
    """The form, and the review. A change by a colleague meanwhile is told, and what was typed stays."""
    actor = current_actor()
    client = queries.get(client_id)
    if not actor.sees_restricted:
        raise Forbidden("A review shows why clients are blocked, which your role cannot see.")
    form = ReviewForm()
    if request.method == "GET":
        _prefill(form, client)
        return _page(form, client, actor)
    if not form.validate():
        return _page(form, client, actor, status=422)
    try:
        with transaction():
            done = services.complete_review(
                client_id,
                risk_level=int(form.risk_level.data),
                outcome=form.outcome.data,
                reasons=form.reasons.data or "",
                next_on=form.next_on.data,
                # a form without its marks could pass over what nobody has seen
                version=form.version.data or 0,
                last_review_id=_as_id(form.seen.data),
                lift_restriction=bool(form.lift_restriction.data),
                by=actor,
            )
            next_on = done.next_on
            asked = done.lowering_request_id is not None
            words = Risk(done.risk_after).label, Risk(done.risk_assessed).label
    except (Invalid, Refused) as refusal:
        show_errors(form, refusal)
        return _page(form, queries.get(client_id), actor, status=422)
    except Conflict as refusal:
        client = queries.get(client_id)
        if refusal.code in {"changedMeanwhile", "reviewedMeanwhile"}:
            return _stale(form, client, actor, refusal)
        show_errors(form, refusal)
        return _page(form, client, actor, status=409)
    waits = f" The risk is still {words[0]}: lowering it to {words[1]} waits for a second person." if asked else ""
    flash(f"Review completed. Next one: {next_on.day} {next_on:%b %Y}.{waits}", "wait" if asked else "ok")
    return go(url_for("clients.show", client_id=client_id))


def _as_id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _prefill(form: ReviewForm, client: Client) -> None:
    plan = reviewing.plan_of(client.id)
    form.version.data = client.version
    form.seen.data = str(plan.last_review_id) if plan and plan.last_review_id else ""
    form.risk_level.data = str(client.risk_level) if client.risk_level else None


def _stale(form: ReviewForm, client: Client, actor: Actor, refusal: Conflict) -> Response:
    """409: who was first and with what; sending again is about what stands now."""
    plan = reviewing.plan_of(client.id)
    form.version.data, form.version.raw_data = client.version, None
    form.seen.data, form.seen.raw_data = str(plan.last_review_id) if plan and plan.last_review_id else "", None
    newest = next(iter(story.timeline(client.id, actor=actor, limit=1)), None)
    return _page(form, client, actor, status=409, stale=refusal.message, newest=newest)


def _latest_days(client: Client, heightened: bool) -> list[Latest]:
    """By each risk: the latest day that it and the documents allow, counted from today."""
    today = calendar().today()
    first = next(iter(limits(client, today)), None)
    found = []
    for risk in Risk:
        if risk is Risk.NOT_SET:
            continue
        day = latest_day(today, periods().months(risk.value, heightened=heightened))
        bound = first if first is not None and first.day < day else None
        found.append(Latest(risk.label, bound.day if bound else day, bound.why if bound else ""))
    return found


def _page(form: ReviewForm, client: Client, actor: Actor, *, status: int = 200, **context: Any) -> Response:
    plan = reviewing.plan_of(client.id)
    done = reviewing.reviews_of(client.id, limit=1)
    since: datetime = done[0].review.reviewed_at if done else client.created_at
    changes = story.timeline(client.id, actor=actor, since=since, without_types=NOT_SHOWN, limit=CHANGES + 1)
    flags = queries.flags_of(client.id, sees_restricted=actor.sees_restricted)
    heightened = bool(plan and plan.heightened)
    today = calendar().today()
    first_bound = next(iter(limits(client, today)), None)
    return make_response(
        render_template(
            "clients/review.html",
            form=form,
            client=client,
            answered=status,
            obstacle=services.review_obstacle(client),
            state=status_badge(client, queries.freezes([client]).get(client.id)),
            risk=risk_badge(client.risk_level),
            present_risk=client.risk_level,
            coming=reviewing.next_review(client.id),
            last=done[0] if done else None,
            since=since,
            changes=changes[:CHANGES],
            more_changes=len(changes) > CHANGES,
            flags=[(flag, severity_badge(flag.severity)) for flag in flags],
            marks=marking.marks_of(client.id, actor=actor),
            blocks=queries.blocks_of(client.id, actor=actor),
            restriction=restriction_of(plan) if actor.may(Permission.CLIENTS_UNBLOCK) else None,
            documents=(documents := identity_documents(client)),
            expired=[one for one in documents if one.day <= today],
            today=today,
            heightened=heightened,
            bound=first_bound,
            first_expiry=plan.expires_on if plan else None,
            more_tabs=[(key, TABS[key]) for key in LOOK_AT if key in TABS],
            latest=_latest_days(client, heightened),
            may_see_transfers=actor.may(Permission.TRANSFERS_READ),
            who=who_can_decide(LOWER_RISK, maker=actor),
            **context,
        ),
        status,
    )
