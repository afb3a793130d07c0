"""Reading and committing large files as background work: a chunk a transaction, resumed where a runner was lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.background import services as background
from dashboard.background.kinds import Kind
from dashboard.background.models import BackgroundJob
from dashboard.background.runner import Run
from dashboard.database import session, transaction
from dashboard.errors import Refused
from dashboard.treasury.statements.models import StatementImport
from dashboard.treasury.statements.reading.stream import Unreadable
from dashboard.treasury.statements.services import importing
from dashboard.treasury.statements.services.staging import Staging
from dashboard.treasury.statements.store import Store
from dashboard.treasury.vocabulary import IMPORT, ImportState


def ask(row: StatementImport, *, commit: bool, by: Actor) -> BackgroundJob:
    """Have a file read, or what was read of it committed, in the caller's transaction."""
    by.require(Permission.TREASURY_WRITE)
    job = background.ask(IMPORT, {"importId": str(row.id), "commit": commit}, by=by)
    row.job_id = job.id
    session().flush()
    return job


def _by(asked: Actor) -> Actor:
    """Whoever asked was allowed to when asking."""
    return replace(asked, permissions=frozenset({Permission.TREASURY_WRITE}))


def run(run: Run) -> dict[str, Any]:
    """Read what is not read yet, then commit where that was asked for."""
    import_id, store = UUID(run.arguments["importId"]), Store()
    with transaction():
        row = session().get_one(StatementImport, import_id, populate_existing=True)
        name, unread = row.file_name, row.state == ImportState.PREVIEW and row.read_at is None
    if unread:
        try:
            read(import_id, store, run=run)
        except Unreadable as reason:
            with transaction():
                importing.fail(import_id, because=str(reason), by=_by(run.by))
            store.finish(import_id, name, failed_because=str(reason))
            raise Refused(str(reason), code="unreadable") from None
    if run.arguments.get("commit"):
        with transaction():
            row = session().get_one(StatementImport, import_id, populate_existing=True)
            if row.state in {ImportState.PREVIEW, ImportState.IMPORTING}:
                importing.commit(import_id, by=_by(run.by))
            run.keep(done=run.done)
        store.finish(import_id, name)
    with transaction():
        row = session().get_one(StatementImport, import_id, populate_existing=True)
        return {"statements": row.statements, "entries": row.entries, "refused": row.refused}


def read(import_id: UUID, store: Store, *, run: Run | None = None) -> None:
    """Read a held file to its end, a chunk a transaction. Raises Unreadable."""
    with transaction():
        staging = Staging(import_id, store.held(import_id))
    more = True
    while more:
        with transaction():
            more = staging.step()
            if not more:
                importing.read_to_the_end(session().get_one(StatementImport, import_id, populate_existing=True))
            if run is not None:
                run.keep(done=staging.read, checkpoint={"items": staging.read})


def _stopped(job: BackgroundJob) -> None:
    """A file that nobody reads on is no preview: what was read of it goes."""
    row = session().get(StatementImport, UUID(job.arguments["importId"]), populate_existing=True)
    if row is not None and row.state == ImportState.PREVIEW and row.read_at is None:
        asked = Actor(kind=job.asked_by_kind, id=job.asked_by_id, name=job.asked_by_name, role="background")  # type: ignore[arg-type]
        because = "Reading it was canceled." if job.state == "canceled" else job.failure or "Reading it failed."
        importing.fail(row.id, because=because, by=asked)


KINDS = (Kind(key=IMPORT, label="Import of a statement file", run=run, stopped=_stopped),)
