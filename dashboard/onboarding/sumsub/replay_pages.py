"""Replays of events: who had which ones processed again, when, and what came of it.

A single event that is processed again from its own page is no work of the background: its client's timeline tells it,
and the audit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals.names import named
from dashboard.background import queries as background
from dashboard.background.models import BackgroundJob
from dashboard.background.queries import WorkFilter
from dashboard.onboarding.sumsub import badges
from dashboard.onboarding.sumsub.forms import REPLAY_STATE_CHOICES, EventQuery, ReplayQuery
from dashboard.onboarding.sumsub.queries import EventFilter
from dashboard.onboarding.sumsub.services.replaying import REPLAY
from dashboard.views.lists import downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row
from dashboard.web.htmx import page_or_fragment, wants_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

event_replays = Blueprint("event_replays", __name__, url_prefix="/onboarding/events/replays")

#: replays that an export reads at once
PART = 500
ALL = "All events"
COLUMNS = (
    Column("asked_at", "Asked", Kind.MOMENT),
    Column("by", "By"),
    Column("events", "Events", share=2),
    Column("state", "State", share=0.7),
    Column("applicants", "Applicants", Kind.NUMBER, share=0.7),
    Column("failed", "Not processed", Kind.NUMBER, share=0.7),
    Column("finished_at", "Ended", Kind.MOMENT),
    Column("failure", "Failure", share=2),
    Column("id", "Work id", share=1.4),
)


def shown(job: BackgroundJob) -> dict[str, Any]:
    """A replay as its row shows it. `applicants` that were processed again, and how many of those `failed`; None where
    it is not known."""
    asked = EventQuery.of(EventFilter.of_json(job.arguments.get("filter", {})))
    words = [(label, badges.type_in_words(said) if label == "Type" else said) for label, said in asked.in_words()]
    result = job.result or {}
    reader = current_actor().id
    return {
        "job": job,
        "by": "you"
        if reader is not None and job.asked_by_id == reader
        else named(job.asked_by_kind, job.asked_by_name),
        "events": "; ".join(f"{label}: {said}" for label, said in words) or ALL,
        "url": url_for("events.listing") + asked.query(),
        "badge": badges.REPLAYS[job.state],
        "applicants": result.get("applicants", job.done if job.started_at else None),
        "failed": result.get("failed"),
    }


@event_replays.get("")
@listed(
    "verification-replays", "Replays of verification events",
    reads=lambda values, _actor: ReplayQuery.read(values), keeps=("state", "asked_from", "asked_to"),
)  # fmt: skip
@requires(Permission.EVENTS_READ)
def listing() -> Response:
    """Replays, newest first."""
    asked = ReplayQuery.read(request.args)
    if asked.errors:
        return _listed(asked, status=422)
    try:
        position = unseal(asked.cursor, bound=asked.bound)
    except InvalidCursor:
        return _listed(asked, status=400, cursor_problem=True)
    edge = UUID(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = background.asked(
        REPLAY, asked.chosen, limit=DEFAULT_PAGE_SIZE + 1, before=None if backwards else edge,
        after=edge if backwards else None,
    )  # fmt: skip

    def key(job: BackgroundJob) -> list[Any]:
        return [str(job.id)]

    rows, earlier, later = neighbours(found, position, size=DEFAULT_PAGE_SIZE, key=key, bound=asked.bound)
    base = url_for(".listing")
    return _listed(
        asked,
        rows=[shown(job) for job in rows],
        earlier=base + asked.query(cursor=earlier) if earlier else None,
        later=base + asked.query(cursor=later) if later else None,
    )


def _listed(asked: ReplayQuery, *, status: int = 200, **context: Any) -> Response:
    base = url_for(".listing")
    response = page_or_fragment(
        "events/replays.html", "events/_replays.html", status=status, asked=asked, base=base, part=wants_fragment(),
        choices=REPLAY_STATE_CHOICES,
        **{"rows": [], "earlier": None, "later": None, "cursor_problem": False, **context},
    )  # fmt: skip
    if wants_fragment() and status == 200 and not asked.cursor:
        # the address without the empty filters that a form sends
        response.headers["HX-Push-Url"] = base + asked.query()
    return response


@event_replays.get("/export/<form>")
@downloads("verification-replays")
@requires(Permission.EVENTS_READ)
def export(form: str) -> Response:
    """Exactly what the filters show, all pages of it, as `csv` or `xlsx`."""
    chosen_format = Format.of_a_list(form)
    asked = ReplayQuery.read(request.args)
    if asked.errors:
        return _listed(asked, status=422)
    about = exports.about("Replays of verification events", filters=asked.in_words(), by=current_actor().name)
    return exports.answer(Listing(about, COLUMNS), lambda: _rows(asked.chosen), chosen_format)


def _rows(chosen: WorkFilter) -> Iterator[Row]:
    before: UUID | None = None
    while True:
        found = background.asked(REPLAY, chosen, before=before, limit=PART)
        for job in found:
            said = shown(job)
            yield {
                "asked_at": job.asked_at,
                "by": named(job.asked_by_kind, job.asked_by_name),
                "events": said["events"],
                "state": said["badge"].word,
                "applicants": said["applicants"],
                "failed": said["failed"],
                "finished_at": job.finished_at,
                "failure": job.failure,
                "id": job.id,
            }
        if len(found) < PART:
            return
        before = found[-1].id
