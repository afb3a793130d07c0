"""Reading exports: a person's own, and nobody else's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.background.models import BackgroundJob
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.exports.models import ListExport

#: shown on the page of one's own exports; there are never many, they are gone after a day
MOST_SHOWN = 100


class Found(NamedTuple):
    """An export and the work behind it."""

    export: ListExport
    job: BackgroundJob

    @property
    def state(self) -> str:
        """queued, running, ready, failed or canceled."""
        if self.export.file is not None:
            return "ready"
        # the file was written and its work will say so in a moment, or it has ended without one
        return "running" if self.job.state == "succeeded" else self.job.state


def _own(actor: Actor) -> sa.Select[ListExport, BackgroundJob]:
    return (
        sa.select(ListExport, BackgroundJob)
        .join(BackgroundJob, BackgroundJob.id == ListExport.job_id)
        .where(
            ListExport.asked_by_id == actor.staff_id,
            sa.or_(ListExport.expires_at.is_(None), ListExport.expires_at > clock.now()),
        )
        .execution_options(populate_existing=True)
    )


def get(export_id: UUID, *, by: Actor) -> Found:
    """One's own export as it stands now. Raises NotFound, also for one whose day is over."""
    row = session().execute(_own(by).where(ListExport.id == export_id)).first()
    if row is None:
        raise NotFound(
            "There is no such export. Files are kept for a day after they were made: export the list again.",
            code="exportNotFound",
        )
    return Found(*row)


def own(*, by: Actor) -> list[Found]:
    """One's own exports, newest first."""
    return [Found(*row) for row in session().execute(_own(by).order_by(ListExport.id.desc()).limit(MOST_SHOWN))]


def unfinished(person: UUID) -> Sequence[ListExport]:
    """A person's exports that wait or are being made, oldest first."""
    return (
        session()
        .scalars(
            sa.select(ListExport)
            .where(ListExport.asked_by_id == person, ListExport.ended_at.is_(None))
            .order_by(ListExport.id)
        )
        .all()
    )


def kept(person: UUID) -> int:
    """How many files of a person lie ready, taken or not."""
    query = sa.select(sa.func.count()).where(
        ListExport.asked_by_id == person, ListExport.file.is_not(None), ListExport.expires_at > clock.now()
    )
    return session().scalar(query) or 0


def to_take(*, by: Actor) -> Sequence[ListExport]:
    """Files that are ready and that nobody has taken yet, newest first."""
    return (
        session()
        .scalars(
            sa.select(ListExport)
            .where(
                ListExport.asked_by_id == by.staff_id,
                ListExport.file.is_not(None),
                ListExport.taken_at.is_(None),
                ListExport.expires_at > clock.now(),
            )
            .order_by(ListExport.id.desc())
            .limit(MOST_SHOWN)
        )
        .all()
    )


def files() -> set[str]:
    """Names of all files that somebody may still take."""
    return set(session().scalars(sa.select(ListExport.file).where(ListExport.file.is_not(None))))  # type: ignore[arg-type]
