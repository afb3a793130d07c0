"""Reading background work."""

from __future__ import annotations

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
