"""Asking for an export, finishing it, taking its file, canceling it, forgetting it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import NoResultFound

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.audit import looking
from dashboard.background import services as background
from dashboard.background.models import BackgroundJob
from dashboard.database import new_id, session
from dashboard.errors import Conflict, Forbidden
from dashboard.exports import queries, store
from dashboard.exports.models import ListExport
from dashboard.exports.queries import Found

WORK = "export.xlsx"
#: exports of one person that wait or are being made
MOST_AT_ONCE = 3
#: and finished files of one person that lie ready at the same time: each may hold a million rows
MOST_KEPT = 20
#: how long a finished file can be taken
KEPT = timedelta(hours=24)
#: keeps our locks apart from those of others
_LOCKS = 0x65787074


class TooManyAsked(Conflict):
    """As many exports of one person as may wait, or lie ready, do so already."""

    code = "tooManyExports"


@dataclass(frozen=True)
class Wanted:
    """A list as somebody sees it. `address` is path and query of its export; `filters` are names without values."""

    endpoint: str
    title: str
    address: str
    filters: Sequence[str] = ()
    object_id: UUID | None = None


def ask(wanted: Wanted, *, by: Actor) -> ListExport:
    """Ask for the list as an XLSX, in the caller's transaction; the same one, while it waits or runs, is the answer.

    It will be read with the permissions that the person has now. Raises Conflict `tooManyExports`, Forbidden where
    this is no person.
    """
    if by.staff_id is None:
        raise Forbidden("Only people ask for files.")
    permissions = sorted(permission.value for permission in by.permissions)
    digest = hashlib.sha256("\n".join([wanted.address, by.role, *permissions]).encode()).hexdigest()
    # one question of a person at a time: two that came at once would both find room for one more
    half = int.from_bytes(by.staff_id.bytes[-4:], "big", signed=True)
    session().execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCKS, half)))
    waiting = queries.unfinished(by.staff_id)
    for export in waiting:
        if export.digest == digest:
            return export
    if len(waiting) >= MOST_AT_ONCE:
        raise TooManyAsked(
            f"{len(waiting)} of your exports wait or are being made already, and that is as many as may."
            " Wait for one of them, or cancel one.",
            details={"limit": MOST_AT_ONCE},
        )
    if queries.kept(by.staff_id) >= MOST_KEPT:
        raise TooManyAsked(
            f"{MOST_KEPT} files of yours lie ready, and that is as many as may. Each is deleted 24 hours after it was"
            " made; CSV you get at once.",
            details={"limit": MOST_KEPT},
        )
    export_id = new_id()
    job = background.ask(WORK, {"export": str(export_id)}, by=by)
    session().flush()
    export = ListExport(
        id=export_id, job_id=job.id, asked_by_id=by.staff_id, role=by.role, permissions=permissions,
        endpoint=wanted.endpoint, title=wanted.title, address=wanted.address, filters=sorted(wanted.filters),
        object_id=wanted.object_id, digest=digest, asked_at=clock.now(),
    )  # fmt: skip
    session().add(export)
    session().flush()
    return export


def asked(export_id: UUID) -> ListExport:
    """What is to be made, as it stands now. Raises NoResultFound: a programming error."""
    found = session().scalar(
        sa.select(ListExport).where(ListExport.id == export_id).execution_options(populate_existing=True)
    )
    if found is None:
        raise NoResultFound
    return found


def frozen(export: ListExport, *, name: str) -> Actor:
    """Who reads the list: the person with the rights of the moment of asking, and no others."""
    return Actor(
        kind="staff", id=export.asked_by_id, name=name, role=export.role,
        permissions=frozenset(Permission(value) for value in export.permissions),
        senior=ROLES[Role(export.role)].senior,
    )  # fmt: skip


def finish(export_id: UUID, *, file: str, size: int, rows: int, as_of: datetime, by: Actor) -> None:
    """The file is whole and lies under its name. Records the export as evidence."""
    export, now = asked(export_id), clock.now()
    export.file, export.bytes, export.rows, export.as_of = file, size, rows, as_of
    export.ended_at, export.expires_at = now, now + KEPT
    session().flush()
    looking.exported(export.endpoint, "xlsx", export.filters, by=by, object_id=export.object_id or export.id)


def stopped(job: BackgroundJob) -> None:
    """The work came to nothing: what the person asked for no longer counts as waiting."""
    now = clock.now()
    session().execute(
        sa.update(ListExport)
        .where(ListExport.job_id == job.id, ListExport.ended_at.is_(None))
        .values(ended_at=now, expires_at=now + KEPT)
        .execution_options(synchronize_session=False)
    )


def cancel(export_id: UUID, *, by: Actor) -> None:
    """Stop making it: at once while it waits, at the next step while it runs.

    Raises NotFound, also for another person's, Conflict `alreadyFinished`.
    """
    background.cancel(queries.get(export_id, by=by).export.job_id, kind=WORK, by=by)


def take(export_id: UUID, *, needs: Permission | None, by: Actor) -> Found:
    """The export whose file may be handed out now, with the mark that it was taken.

    `needs` is what its list asks for. Raises NotFound, also for another person's; Conflict `notReady`; Forbidden where
    the person may no longer all that the list was read with.
    """
    found = queries.get(export_id, by=by)
    lost = set(found.export.permissions) - {permission.value for permission in by.permissions}
    if lost or needs is None or not by.may(needs):
        raise Forbidden(
            "Your permissions have changed since you asked for this file, and it may hold what you can no longer read."
            " Export the list again.",
            code="permissionLost",
        )
    if found.export.file is None:
        raise Conflict("This file is not ready.", code="notReady")
    found.export.taken_at = clock.now()
    session().flush()
    return found


def forget() -> list[str]:
    """Delete exports whose day is over, in the caller's transaction; gives the names of their files."""
    gone = session().scalars(
        sa.delete(ListExport).where(ListExport.expires_at <= clock.now()).returning(ListExport.file)
    )
    return [name for name in gone if name is not None]


def sweep() -> int:
    """Remove files that no export names, left by processes that died; gives how many."""
    return store.sweep(queries.files())
