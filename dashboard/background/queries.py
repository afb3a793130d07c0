"""Reading background work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard.background.models import BackgroundJob
from dashboard.database import session
from dashboard.errors import NotFound

UNFINISHED = ("queued", "running")


def get(job_id: UUID, *, kind: str) -> BackgroundJob:
    """As it stands now. Raises NotFound, also for work of another kind."""
    found = session().scalar(
        sa.select(BackgroundJob)
        .where(BackgroundJob.id == job_id, BackgroundJob.kind == kind)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("There is no such background job.", code="jobNotFound")
    return found


def latest(kind: str) -> BackgroundJob | None:
    """The newest work of a kind, as it stands now."""
    return session().scalar(
        sa.select(BackgroundJob)
        .where(BackgroundJob.kind == kind)
        .order_by(BackgroundJob.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )


def unfinished(kind: str, *, single: bool = False) -> BackgroundJob | None:
    """Work of a kind that is queued or running, the oldest first; `single`: only such as never runs twice at once."""
    query = sa.select(BackgroundJob).where(BackgroundJob.kind == kind, BackgroundJob.state.in_(UNFINISHED))
    if single:
        query = query.where(BackgroundJob.arguments.has_key("single"))
    return session().scalar(query.order_by(BackgroundJob.id).limit(1).execution_options(populate_existing=True))


@dataclass(frozen=True)
class WorkFilter:
    """All that is set must hold. `states`: any of them."""

    states: Sequence[str] = ()
    asked_from: datetime | None = None
    asked_before: datetime | None = None


def asked(
    kind: str, chosen: WorkFilter, *, before: UUID | None = None, after: UUID | None = None, limit: int
) -> list[BackgroundJob]:
    """Work of a kind that was ever asked for, newest first. `before`: older than this one; `after`: newer."""
    table = BackgroundJob
    query = sa.select(table).where(table.kind == kind)
    if chosen.states:
        query = query.where(table.state.in_(chosen.states))
    if chosen.asked_from is not None:
        query = query.where(table.asked_at >= chosen.asked_from)
    if chosen.asked_before is not None:
        query = query.where(table.asked_at < chosen.asked_before)
    if before is not None:
        query = query.where(table.id < before)
    if after is not None:
        query = query.where(table.id > after)
    query = query.order_by(table.id.asc() if after else table.id.desc()).limit(limit)
    found = list(session().scalars(query.execution_options(populate_existing=True)))
    return found[::-1] if after else found
