"""Asking for work, claiming it, keeping it alive, ending it.

A claim is a lease with an identifier of its own: every write names it, so a runner whose lease ran out and was taken
over writes nothing any more. Leases are measured by the database's clock; machines may differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.background import queries
from dashboard.background.kinds import kind_of
from dashboard.background.models import BackgroundJob
from dashboard.database import constraint_of, new_id, savepoint, session
from dashboard.errors import Conflict, NotFound

LEASE = timedelta(seconds=60)
#: claims of one job; the last one that comes to nothing ends it
MOST_ATTEMPTS = 3
#: before work that failed is tried again, times the attempts so far
PAUSE = timedelta(seconds=5)

LOST = "It stopped without an answer, and was tried as often as allowed. Ask again; the log says more."


class LeaseLost(Exception):
    """Another runner has the work by now: whatever this one did in its transaction is rolled back."""


@dataclass(frozen=True)
class Claim:
    """Work that is ours while the lease lasts."""

    job_id: UUID
    lease: UUID
    kind: str
    arguments: Mapping[str, Any]
    attempt: int
    checkpoint: Mapping[str, Any]
    by_kind: str
    by_id: UUID | None
    by_name: str


def ask(kind_key: str, arguments: Mapping[str, Any], *, by: Actor, single: bool = False) -> BackgroundJob:
    """Ask for work, in the caller's transaction; `arguments` are JSON-ready and hold no personal data.

    `single`: while work of the kind is queued or running, that is the answer. Raises KeyError for an unknown kind,
    Conflict `inProgress` where the other work began and ended at this very moment.
    """
    kind_of(kind_key)
    values = {**arguments, "single": True} if single else dict(arguments)
    for _ in range(MOST_ATTEMPTS):
        standing = queries.unfinished(kind_key, single=True) if single else None
        if standing is not None:
            return standing
        job = BackgroundJob(
            id=new_id(),
            kind=kind_key,
            state="queued",
            arguments=values,
            done=0,
            attempts=0,
            cancel_asked=False,
            asked_by_kind=by.kind,
            asked_by_id=by.id,
            asked_by_name=by.name,
            asked_at=clock.now(),
        )
        try:
            with savepoint():
                session().add(job)
                session().flush()
        except sa.exc.IntegrityError as error:
            if constraint_of(error) != "uq_background_job_single":
                raise
        else:
            audit.record(
                "background_job.asked", by=by, object_type="background_job", object_id=job.id,
                after={"kind": kind_key, **arguments},
            )  # fmt: skip
            return job
    raise Conflict("The same work was asked for at this moment. Ask again.", code="inProgress")


def claim(kinds: Sequence[str], *, job_id: UUID | None = None) -> Claim | None:
    """Take the oldest work that waits, or whose runner was lost; only `job_id` where it is given.

    Work that was claimed as often as allowed is ended as failed, work that was to be canceled as canceled.
    """
    table = BackgroundJob
    while True:
        job = session().scalar(
            sa.select(table)
            .where(
                table.state.in_(queries.UNFINISHED),
                sa.or_(table.lease_until.is_(None), table.lease_until < sa.func.clock_timestamp()),
                table.kind.in_(kinds),
                *([table.id == job_id] if job_id else []),
            )
            .order_by(table.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
        if job is None:
            return None
        if job.cancel_asked:
            _end(job, "canceled")
        elif job.attempts >= MOST_ATTEMPTS:
            _end(job, "failed", failure=LOST)
        else:
            lease = new_id()
            now = sa.func.clock_timestamp()
            session().execute(
                sa.update(table)
                .where(table.id == job.id)
                .values(
                    state="running", lease=lease, lease_until=now + LEASE, heartbeat_at=now,
                    attempts=table.attempts + 1, started_at=sa.func.coalesce(table.started_at, now),
                )
                .execution_options(synchronize_session=False)
            )  # fmt: skip
            return Claim(
                job_id=job.id,
                lease=lease,
                kind=job.kind,
                arguments=job.arguments,
                attempt=job.attempts + 1,
                checkpoint=job.result or {},
                by_kind=job.asked_by_kind,
                by_id=job.asked_by_id,
                by_name=job.asked_by_name,
            )


def _held(claimed: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    table = BackgroundJob
    return table.id == claimed.job_id, table.lease == claimed.lease, table.state == "running"


def hold(claimed: Claim) -> bool:
    """Make sure that the work is still ours until the caller's transaction ends; gives whether it is to be canceled.

    The row is locked so that a heartbeat passes and another's claim does not. Raises LeaseLost.
    """
    asked = session().execute(
        sa.select(BackgroundJob.cancel_asked).where(*_held(claimed)).with_for_update(read=True, key_share=True)
    )
    row = asked.first()
    if row is None:
        raise LeaseLost
    return bool(row.cancel_asked)


def report(claimed: Claim, *, done: int, total: int | None, checkpoint: Mapping[str, Any] | None) -> bool:
    """Write how far the work is, in the caller's transaction; gives whether it is to be canceled. Raises LeaseLost."""
    values: dict[str, Any] = {"done": done, "total": total}
    if checkpoint is not None:
        values["result"] = dict(checkpoint)
    row = (
        session()
        .execute(
            sa.update(BackgroundJob)
            .where(*_held(claimed))
            .values(**values)
            .returning(BackgroundJob.cancel_asked)
            .execution_options(synchronize_session=False)
        )
        .first()
    )
    if row is None:
        raise LeaseLost
    return bool(row.cancel_asked)


def tell(
    connection: sa.Connection, claimed: Claim, *, done: int, total: int | None, checkpoint: Mapping[str, Any]
) -> bool:
    """The same in a transaction beside the work's own, for work that must be one transaction. Raises LeaseLost."""
    row = connection.execute(
        sa.update(BackgroundJob)
        .where(*_held(claimed))
        .values(done=done, total=total, result=dict(checkpoint))
        .returning(BackgroundJob.cancel_asked)
    ).first()
    if row is None:
        raise LeaseLost
    return bool(row.cancel_asked)


def beat(connection: sa.Connection, claimed: Claim) -> bool:
    """Lengthen the lease; False once it is another's."""
    now = sa.func.clock_timestamp()
    beaten = connection.execute(
        sa.update(BackgroundJob).where(*_held(claimed)).values(heartbeat_at=now, lease_until=now + LEASE)
    )
    return bool(beaten.rowcount)


def _owned(claimed: Claim) -> BackgroundJob:
    job = session().scalar(
        sa.select(BackgroundJob)
        .where(*_held(claimed))
        .with_for_update()
        .execution_options(populate_existing=True)
    )  # fmt: skip
    if job is None:
        raise LeaseLost
    return job


def _end(
    job: BackgroundJob, state: str, *, result: Mapping[str, Any] | None = None, failure: str | None = None
) -> None:
    job.state, job.failure = state, failure
    job.finished_at, job.lease, job.lease_until = clock.now(), None, None
    if result is not None:
        job.result = dict(result)
    session().flush()
    kind = kind_of(job.kind)
    if state != "succeeded" and kind.stopped is not None:
        kind.stopped(job)


def succeed(claimed: Claim, result: Mapping[str, Any]) -> None:
    """End the work. Raises LeaseLost."""
    job = _owned(claimed)
    if job.total is not None:
        job.done = job.total
    _end(job, "succeeded", result=result)


def canceled(claimed: Claim) -> None:
    """End the work because somebody asked to. Raises LeaseLost."""
    _end(_owned(claimed), "canceled")


def fail(claimed: Claim, sentence: str, *, again: bool) -> bool:
    """End the work as failed, or with `again` let it wait for another try; gives whether it is tried again.

    Raises LeaseLost.
    """
    job = _owned(claimed)
    if again and job.attempts < MOST_ATTEMPTS:
        _wait(job, PAUSE * job.attempts)
        return True
    _end(job, "failed", failure=sentence)
    return False


def hand_back(claimed: Claim) -> None:
    """The process ends: the work waits for another one and this attempt does not count. Raises LeaseLost."""
    job = _owned(claimed)
    job.attempts -= 1
    _wait(job, timedelta())


def _wait(job: BackgroundJob, pause: timedelta) -> None:
    job.state, job.lease = "queued", None
    session().flush()
    session().execute(
        sa.update(BackgroundJob)
        .where(BackgroundJob.id == job.id)
        .values(lease_until=sa.func.clock_timestamp() + pause)
        .execution_options(synchronize_session=False)
    )


def cancel(job_id: UUID, *, kind: str, by: Actor) -> BackgroundJob:
    """Work that waits is canceled at once, work that runs at its next step.

    Raises NotFound, Conflict `alreadyFinished`.
    """
    job = session().scalar(
        sa.select(BackgroundJob)
        .where(BackgroundJob.id == job_id, BackgroundJob.kind == kind)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if job is None:
        raise NotFound("There is no such background job.", code="jobNotFound")
    if job.state not in queries.UNFINISHED:
        raise Conflict("This work has ended already.", code="alreadyFinished", details={"state": job.state})
    audit.record("background_job.cancel_asked", by=by, object_type="background_job", object_id=job.id)
    job.cancel_asked = True
    if job.state == "queued":
        _end(job, "canceled")
    session().flush()
    return job
