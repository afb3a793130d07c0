"""The figures of home and of the rail: what waits, for whom, until when. Counted once per request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import sqlalchemy as sa
from flask import g

from dashboard.access.actor import Actor
from dashboard.approvals import queries as approvals
from dashboard.approvals.models import QUEUE, ApprovalRequest
from dashboard.clients.calendar import calendar
from dashboard.database import session
from dashboard.home import treasury
from dashboard.home.handed_over import held
from dashboard.home.worklist import QUEUES
from dashboard.onboarding.pulling import queries as differences
from dashboard.queues import queries
from dashboard.queues.models import QueueItem
from dashboard.queues.queries import ItemFilter, QueueCount
from dashboard.web.logs import log

Answer = TypeVar("Answer")

FIRST_ITEMS = 5
APPROVALS = QUEUE
#: counted beside the queues on the pages of onboarding
DIFFERENCES = "differences"
#: the queues that the rail counts
RAIL_QUEUES = ("client-review", "held-transfers", "unrecognized", "verification", "breaks")
#: the rail counts no further: beyond it the exact figure changes nothing for anybody
RAIL_LIMIT = 1000


@dataclass(frozen=True)
class Line:
    """One line of the table of queues. `count` None: it could not be counted, which is not zero."""

    key: str
    label: str
    count: QueueCount | None


@dataclass(frozen=True)
class Figures:
    """Lines in their order, and the sums over those that could be counted."""

    lines: list[Line]

    @property
    def _known(self) -> list[QueueCount]:
        return [line.count for line in self.lines if line.count is not None]

    @property
    def complete(self) -> bool:
        return len(self._known) == len(self.lines)

    @property
    def mine(self) -> int:
        return sum(count.mine for count in self._known)

    @property
    def late_mine(self) -> int:
        return sum(count.late_mine for count in self._known)

    @property
    def late_unassigned(self) -> int:
        return sum(count.late_unassigned for count in self._known)

    @property
    def unassigned(self) -> int:
        return sum(count.unassigned or 0 for count in self._known)

    @property
    def to_take(self) -> bool:
        """Whether anything waits that a person takes: statements and days are nobody's."""
        taken = [line.count for line in self.lines if line.count is not None and line.key not in treasury.LABELS]
        return any(count.mine or count.unassigned for count in taken)

    @property
    def next_at(self) -> datetime | None:
        """The earliest due time that has not passed."""
        return min((count.upcoming_at for count in self._known if count.upcoming_at is not None), default=None)


@dataclass(frozen=True)
class Due:
    """One thing of mine with a due time: a queue item, or a request that I may decide and no colleague has taken."""

    at: datetime
    item: QueueItem | None
    request: ApprovalRequest | None


def or_unknown(count: Callable[[], Answer]) -> Answer | None:
    """The figure, or None where the database did not give it: one failure takes away no more than itself."""
    try:
        return count()
    except sa.exc.SQLAlchemyError as error:
        session().rollback()
        log.error("not counted", error=type(error).__name__)
        return None


def queues_of(actor: Actor) -> tuple[str, ...]:
    """The queues this role works."""
    return tuple(key for key, queue in QUEUES.items() if queue.worked_by(actor))


def _by_urgency(line: Line) -> tuple[int, int, bool, float, str]:
    """What treasury must do first of all stands first, whatever else waits."""
    place = treasury.FIRST.index(line.key) if line.key in treasury.FIRST else len(treasury.FIRST)
    if line.count is None:
        return place, 0, True, 0.0, line.label
    next_due = line.count.next_due_at
    return place, -line.count.late, next_due is None, next_due.timestamp() if next_due else 0.0, line.label


def figures(actor: Actor) -> Figures:
    """All queues of this role: treasury's own first, then late ones, then by what is due next."""
    if "figures" in g:
        kept: Figures = g.figures
        return kept
    lines = []
    own = queues_of(actor)
    if own:
        counted = or_unknown(lambda: queries.counts(own, actor=actor, calendar=calendar(), held=held()))
        lines = [Line(key, QUEUES[key].label, counted[key] if counted else None) for key in own]
    days = [key for key, permission in treasury.PERMISSIONS.items() if actor.may(permission)]
    if days:
        waiting_for = or_unknown(lambda: treasury.counts(actor))
        lines += [Line(key, treasury.LABELS[key], waiting_for[key] if waiting_for else None) for key in days]
    if approvals.may_decide_anything(actor):
        lines.append(Line(APPROVALS, "Approvals for me", or_unknown(lambda: approvals.count_for(actor, calendar()))))
    g.figures = Figures(sorted(lines, key=_by_urgency))
    return g.figures  # type: ignore[no-any-return]


def rail_counts(actor: Actor) -> dict[str, int | None]:
    """What the rail shows beside its entries; cheap enough for every page."""
    if "rail_counts" not in g:
        kept: Figures | None = g.get("figures")
        counted: dict[str, int | None] = {}
        for line in kept.lines if kept else []:
            if line.count:
                counted[line.key] = line.count.everybody
        if kept is None:
            shown = [queue for queue in queues_of(actor) if queue in RAIL_QUEUES]
            counted |= or_unknown(lambda: queries.waiting_in(shown, actor=actor, at_most=RAIL_LIMIT)) or {}
            if approvals.may_decide_anything(actor):
                counted[APPROVALS] = or_unknown(lambda: approvals.waiting_for(actor)) or 0
        g.rail_counts = counted
    return g.rail_counts  # type: ignore[no-any-return]


def waiting(actor: Actor, queues: Sequence[str]) -> dict[str, int | None]:
    """How much waits in each of these queues that the actor works (and in the list of differences), counted as the
    rail counts; what could not be counted is left out."""
    known = rail_counts(actor)
    own = queues_of(actor)
    missing = [queue for queue in queues if queue in own and queue not in known]
    more = or_unknown(lambda: queries.waiting_in(missing, actor=actor, at_most=RAIL_LIMIT)) or {}
    found: dict[str, int | None] = {queue: known[queue] for queue in queues if queue in known}
    if DIFFERENCES in queues:
        found[DIFFERENCES] = or_unknown(lambda: differences.open_count(RAIL_LIMIT))
    return found | more


def first_due(actor: Actor, limit: int = FIRST_ITEMS) -> list[Due]:
    """The first of what is mine, by due time: own items and the requests I may decide."""
    found = [
        Due(item.due_at, item, None)
        for item in queries.items(
            queues_of(actor), actor=actor, calendar=calendar(), chosen=ItemFilter(who="me"), held=held(), limit=limit
        )
    ]
    if approvals.may_decide_anything(actor):
        waiting = approvals.page(actor=actor, view="me", who="own", calendar=calendar(), limit=limit)
        found += [Due(request.expires_at, None, request) for request in waiting]
    return sorted(found, key=lambda due: due.at)[:limit]


def next_request(actor: Actor) -> UUID | None:
    """The request for me, when it is due before anything in the queues; None when the queues come first."""
    if not approvals.may_decide_anything(actor):
        return None
    waiting = approvals.page(actor=actor, view="me", who="own", calendar=calendar(), limit=1)
    if not waiting:
        return None
    items = queries.items(
        queues_of(actor), actor=actor, calendar=calendar(), chosen=ItemFilter(who="own"), held=held(), limit=1
    )
    return waiting[0].id if not items or waiting[0].expires_at < items[0].due_at else None
