"""What Sumsub told: the list of events, one event with all that it did, and processing again."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals.names import named
from dashboard.background import queries as background
from dashboard.background import services as background_work
from dashboard.clients import queries as clients
from dashboard.clients.vocabulary import KYC_LABELS, KycState
from dashboard.database import transaction
from dashboard.errors import Conflict, DomainError, Invalid
from dashboard.onboarding.sumsub import badges, labels, links, queries, report
from dashboard.onboarding.sumsub.forms import ANSWERS, SOURCE_CHOICES, STATE_CHOICES, DoubtForm, EventQuery
from dashboard.onboarding.sumsub.models import SumsubEvent
from dashboard.onboarding.sumsub.queries import EventFilter, Row
from dashboard.onboarding.sumsub.services import doubts, processing, replaying
from dashboard.onboarding.sumsub.vocabulary import DoubtCause, EventEffect, Verdict
from dashboard.views.lists import downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Format, Listing, TooManyRows
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment, wants_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

events = Blueprint("events", __name__, url_prefix="/onboarding/events")


@events.get("")
@listed(
    "verification-events", "Verification events",
    reads=lambda values, _actor: EventQuery.read(values, types=queries.types()),
    keeps=("state", "type", "answer", "source", "received_from", "received_to"), leaves=("about",),
)  # fmt: skip
@requires(Permission.EVENTS_READ)
def listing() -> Response:
    """Events, newest first."""
    types = queries.types()
    asked = EventQuery.read(request.args, types=types)
    if asked.errors:
        return _listed(asked, types, status=422)
    try:
        position = unseal(asked.cursor, bound=asked.bound)
    except InvalidCursor:
        return _listed(asked, types, status=400, cursor_problem=True)
    edge = UUID(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = queries.find(
        asked.chosen, limit=DEFAULT_PAGE_SIZE + 1, before=None if backwards else edge, after=edge if backwards else None
    )

    def key(row: Row) -> list[Any]:
        return [str(row.event.id)]

    shown, earlier, later = neighbours(found, position, size=DEFAULT_PAGE_SIZE, key=key, bound=asked.bound)
    base = url_for(".listing")
    return _listed(
        asked,
        types,
        rows=shown,
        earlier=base + asked.query(cursor=earlier) if earlier else None,
        later=base + asked.query(cursor=later) if later else None,
        nothing_at_all=not shown and not asked.values and not queries.any_event(),
    )


def _listed(asked: EventQuery, types: list[str], *, status: int = 200, **context: Any) -> Response:
    base = url_for(".listing")
    response = page_or_fragment(
        "events/listing.html",
        "events/_list.html",
        status=status,
        asked=asked,
        base=base,
        part=wants_fragment(),
        choices={
            "state": STATE_CHOICES, "answer": ANSWERS, "source": SOURCE_CHOICES,
            "type": [("", "Any"), *((one, badges.type_in_words(one)) for one in types)],
        },
        state_of=badges.state_of,
        states=badges.STATES,
        sources=badges.SOURCES,
        type_in_words=badges.type_in_words,
        answer=badges.answer_in_words if current_actor().sees_restricted else lambda _event: "",
        **{"rows": [], "earlier": None, "later": None, "cursor_problem": False, "nothing_at_all": False, **context},
        **_progress(),
    )  # fmt: skip
    if wants_fragment() and status == 200 and not asked.cursor:
        # the address without the empty filters that a form sends
        response.headers["HX-Push-Url"] = base + asked.query()
    return response


def _progress() -> dict[str, Any]:
    """The newest replay while it waits or runs, or when it came to nothing."""
    actor = current_actor()
    job = background.latest(replaying.REPLAY)
    running = job is not None and job.state in background.UNFINISHED
    by = ""
    if job is not None:
        by = "you" if job.asked_by_id == actor.id else named(job.asked_by_kind, job.asked_by_name)
    return {
        "job": job, "running": running, "job_by": by, "may_replay": actor.may(Permission.EVENTS_REPLAY),
    }  # fmt: skip


@events.get("/export/<form>")
@downloads("verification-events")
@requires(Permission.EVENTS_READ)
def export(form: str) -> Response:
    """Exactly what the filters show, all pages of it, as `csv` or `xlsx`."""
    types = queries.types()
    asked = EventQuery.read(request.args, types=types)
    if form not in {Format.CSV, Format.XLSX}:
        raise Invalid.one("format", "Choose csv or xlsx.", "enum")
    if asked.errors:
        return _listed(asked, types, status=422)
    actor = current_actor()
    sees = actor.sees_restricted
    listed = Listing(
        exports.about("Verification events", filters=asked.in_words(), by=actor.name),
        report.columns(sees_restricted=sees),
    )
    try:
        return exports.answer(listed, lambda: report.rows(asked.chosen, sees_restricted=sees), Format(form))
    except TooManyRows as refusal:
        page = render_template(
            "ledger/export_refused.html", message=refusal.message, back=url_for(".listing") + asked.query(),
            as_csv=url_for(".export", form="csv") + asked.query(), back_label="Verification events",
        )  # fmt: skip
        return Response(page, status=422)


@events.get("/replay")
@requires(Permission.EVENTS_READ)
def progress() -> Response:
    """The running replay, for its bar; when it has ended the whole page is loaded again."""
    context = _progress()
    answer = page_or_fragment("events/progress.html", "events/_progress.html", **context)
    if not context["running"]:
        answer.headers["HX-Refresh"] = "true"
    return answer


@events.get("/replay/new")
@requires(Permission.EVENTS_REPLAY)
def confirm_replay() -> Response:
    """The dialog that says how much would be processed again. Raises Invalid for a filter that cannot be meant."""
    asked = EventQuery.read(request.args, types=queries.types())
    if asked.errors:
        raise Invalid.one(asked.errors[0].name, asked.errors[0].message)
    many, applicants = queries.count_replayable(asked.chosen)
    return page_or_fragment(
        "events/replay_dialog.html",
        "events/_replay.html",
        asked=asked,
        many=many,
        applicants=applicants,
        beyond=many > queries.MOST_COUNTED,
        close=url_for(".listing") + asked.query(),
    )


@events.post("/replay")
@requires(Permission.EVENTS_REPLAY)
def replay_many() -> AnyResponse:
    """Ask for all that the filter lists to be processed again. Raises Invalid for a filter that cannot be meant."""
    asked = EventQuery.read(request.form, types=queries.types())
    if asked.errors:
        raise Invalid.one(asked.errors[0].name, asked.errors[0].message)
    with transaction():
        job = replaying.ask_to_replay(asked.chosen, by=current_actor())
        ours = EventFilter.of_json(job.arguments["filter"]) == asked.chosen
    if not ours:
        flash("Another replay is under way. Start this one when it has ended.", "wait")
    return go(url_for(".listing") + asked.query())


@events.post("/replay/<uuid:job_id>/cancel")
@requires(Permission.EVENTS_REPLAY)
def cancel_replay(job_id: UUID) -> AnyResponse:
    """Stop a replay; what it did so far stays."""
    try:
        with transaction():
            background_work.cancel(job_id, kind=replaying.REPLAY, by=current_actor())
    except Conflict:
        flash("This replay had ended already.", "info")
    return go(url_for(".listing"))


@events.get("/applicants/<uuid:applicant_id>")
@requires(Permission.EVENTS_READ)
def applicant(applicant_id: UUID) -> AnyResponse:
    """The newest event of an applicant: where a doubt about it is settled."""
    found = queries.applicant(applicant_id)
    told = queries.of_applicant(found.applicant_id)
    if not told:
        return go(url_for(".listing"))
    return go(url_for(".show", event_id=told[0].id))


@events.get("/<uuid:event_id>")
@requires(Permission.EVENTS_READ)
def show(event_id: UUID) -> Response:
    """One event as it came, what became of it, and the others of its applicant."""
    return _shown(queries.get(event_id), DoubtForm(formdata=None))


@events.post("/<uuid:event_id>/replay")
@requires(Permission.EVENTS_REPLAY)
def replay(event_id: UUID) -> AnyResponse:
    """Process the event's applicant again."""
    try:
        with transaction():
            done = replaying.replay(event_id, by=current_actor())
    except DomainError as refusal:
        if refusal.status == 404:
            raise
        flash(refusal.message, "stop")
        return go(url_for(".show", event_id=event_id))
    if done is None:
        flash("Nothing follows from it: it is about no applicant.", "info")
    elif done.effect is not None:
        flash(f"Processed again. {badges.EFFECTS[done.effect]}.", "ok")
    elif done.client_id is None:
        flash("Processed again. No client has this id yet.", "wait")
    else:
        flash("Processed again. It had its effect before; nothing was done twice.", "ok")
    return go(url_for(".show", event_id=event_id))


@events.post("/<uuid:event_id>/doubts/<uuid:item_id>")
@requires(Permission.EVENTS_REPLAY)
def settle(event_id: UUID, item_id: UUID) -> Any:
    """Say what was found about a doubt."""
    event, form = queries.get(event_id), DoubtForm()
    if not form.validate():
        return _shown(event, form, settling=item_id, status=422)
    try:
        with transaction():
            doubts.settle(item_id, reason=form.reason.data or "", by=current_actor())
    except Conflict as refusal:
        flash(refusal.message, "info")
    except Invalid as refusal:
        show_errors(form, refusal)
        return _shown(event, form, settling=item_id, status=422)
    else:
        flash("Settled.", "ok")
    return go(url_for(".show", event_id=event_id))


def _shown(event: SumsubEvent, form: DoubtForm, *, settling: UUID | None = None, status: int = 200) -> Response:
    actor = current_actor()
    whose = queries.applicant_named(event.applicant_id) if event.applicant_id else None
    client_id = event.client_id or (whose.client_id if whose else None)
    state = badges.state_of(event)
    open_doubts = queries.doubts_about(
        [event.id, *([whose.id] if whose else [])], sees_restricted=actor.sees_restricted
    )
    settled = queries.settled_about(event, whose, sees_restricted=actor.sees_restricted)
    message = None
    if event.verdict == Verdict.ACCEPTED and event.effect != EventEffect.UNREADABLE:
        message = processing.message_of(event)
    return make_response(
        page_or_fragment(
            "events/show.html",
            "events/show.html",
            status=status,
            event=event,
            message=message,
            labels=labels.in_words(message.review.labels) if message else [],
            type_in_words=badges.type_in_words,
            sees=actor.sees_restricted,
            state=badges.STATES[state],
            explained=badges.EXPLAINED[state],
            source=badges.SOURCES[event.source],
            refusal=badges.REFUSALS.get(event.refusal or ""),
            answer=badges.answer_in_words(event),
            decisions=[(one, badges.decision_in_words(one)) for one in queries.decisions_of(event.id)],
            client=clients.get(client_id) if client_id else None,
            whose=whose,
            kyc=KYC_LABELS[KycState(whose.state)] if whose and whose.state else None,
            others=queries.of_applicant(event.applicant_id) if event.applicant_id else [],
            state_of=badges.state_of,
            states=badges.STATES,
            answer_of=badges.answer_in_words if actor.sees_restricted else lambda _event: "",
            doubts=[(item, *badges.DOUBTS[DoubtCause(item.cause)]) for item in open_doubts],
            settled=[
                (one, "you" if actor.id is not None and one.by_id == actor.id else one.by_name) for one in settled
            ],
            cause_words=lambda cause: badges.DOUBTS[DoubtCause(cause)][0] if cause in set(DoubtCause) else "Doubt",
            link=links.applicant(event.applicant_id) if event.applicant_id else None,
            form=form,
            settling=settling,
            raw=_raw(event) if actor.sees_restricted else None,
            may_replay=actor.may(Permission.EVENTS_REPLAY)
            and event.verdict == Verdict.ACCEPTED
            and event.effect != EventEffect.UNREADABLE
            and event.applicant_id is not None,
            may_settle=actor.may(Permission.EVENTS_REPLAY),
            may_open_client=actor.may(Permission.CLIENTS_READ),
        )
    )


def _raw(event: SumsubEvent) -> str | None:
    """The body for people: JSON with its lines broken, anything else as text."""
    if event.body is None:
        return None
    try:
        return json.dumps(json.loads(event.body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return event.body.decode("utf-8", "backslashreplace")
