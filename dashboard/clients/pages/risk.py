"""Risk of one client: its history, marks, flags with their owners and reasons, and the reviews that were completed."""

from __future__ import annotations

from uuid import UUID

from flask import render_template

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals import queries as approvals
from dashboard.clients import marking, queries, reviewing
from dashboard.clients.badges import mark_badges, risk_badge, severity_badge, status_badge
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.services.marks import KIND as END_MARK
from dashboard.clients.services.review import review_obstacle
from dashboard.staff import queries as staff


@clients.get("/<uuid:client_id>/risk")
@requires(Permission.CLIENTS_READ)
def risk(client_id: UUID) -> str:
    """What of it this reader may see: without the permission no reasons, no sanctions mark and no review."""
    actor = current_actor()
    client = queries.get(client_id)
    flags = queries.flags_of(client_id, sees_restricted=actor.sees_restricted, open_only=False)
    flags.sort(key=lambda one: (one.flag.closed_at is not None, -one.severity, one.flag.opened_at))
    marks = marking.marks_of(client_id, actor=actor, open_only=False)
    names = staff.names(flag.flag.owner_id for flag in flags)
    return render_template(
        "clients/risk.html",
        client=client,
        state=status_badge(client, queries.freezes([client]).get(client.id)),
        risk=risk_badge(client.risk_level),
        history=reviewing.risk_history(client_id, actor=actor),
        marks=marks,
        flags=[
            (flag, severity_badge(flag.severity), names.get(flag.flag.owner_id) if flag.flag.owner_id else None)
            for flag in flags
        ],
        coming=reviewing.next_review(client_id) if actor.sees_restricted else None,
        reviews=reviewing.reviews_of(client_id) if actor.sees_restricted else [],
        sees_restricted=actor.sees_restricted,
        may_review=actor.may(Permission.CLIENTS_REVIEW),
        may_end_sanctions=actor.may(Permission.CLIENTS_UNBLOCK) and actor.sees_restricted,
        mark_badges=mark_badges({mark.kind for mark in marks if mark.ended_at is None}),
        asked_to_end={
            one.object_id: one for one in approvals.open_for_client(client_id, actor=actor) if one.kind == END_MARK
        },
        may_open_requests=actor.may(Permission.APPROVALS_READ),
        reviewable=review_obstacle(client) is None,
        reader_id=actor.id,
    )
