"""The outbox from the worker's side: what is due, who holds it, what was said. `transfers.worker` puts it in order.

A line is held by a lease. It is claimed in one transaction, looked at once more (`outgoing.submitting.about_to_send`)
in a second, and only then sent. Whoever ends in between leaves a lease that runs out: such a line is asked about,
never sent blindly.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.database import new_id, session
from dashboard.transfers.models import Provider, ProviderFile, ProviderMessage, Submission
from dashboard.transfers.vocabulary import SubmissionState

#: longer than any call to a provider lasts
LEASE = timedelta(seconds=60)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=5)
#: so long nobody else asks about a line
ASKING = timedelta(seconds=30)
#: a provider that tells by files only is not asked; its lines are looked at again then
FILES_AGAIN = timedelta(hours=12)


@dataclass(frozen=True)
class Claimed:
    """Lines that are ours until `until`."""

    lease: UUID
    until: datetime
    transfer_ids: list[UUID]


@dataclass(frozen=True)
class LeftBehind:
    """A line whose lease ran out. `sent_at` None: it never came to be sent."""

    transfer_id: UUID
    sent_at: datetime | None
    file_id: UUID | None


def backoff(tries: int) -> timedelta:
    """2 seconds, 4, 8 … 5 minutes, each a quarter more or less, so that not all come back at once."""
    wait: timedelta = min(FIRST_WAIT * (1 << min(max(tries - 1, 0), 20)), LONGEST_WAIT)
    return wait * random.uniform(0.75, 1.25)  # noqa: S311


def providers_with_work() -> set[str]:
    """Of which a line is due to be sent, taken up or asked about: one look that costs little where nothing is."""
    due = sa.exists().where(
        Submission.provider == Provider.key,
        # in the words of the index
        sa.text("submission.state IN ('waiting', 'sending', 'sent', 'unknown')"),
        Submission.next_at <= clock.now(),
    )
    return set(session().scalars(sa.select(Provider.key).where(due)))


def claim(provider_key: str, *, limit: int, lease_of: timedelta = LEASE) -> Claimed | None:
    """Take up to so many waiting lines, the longest due first; None where nothing is due."""
    moment = clock.now()
    lease, until = new_id(), moment + lease_of
    due = (
        sa.select(Submission.transfer_id)
        .where(
            Submission.provider == provider_key,
            Submission.state == SubmissionState.WAITING.value,
            Submission.next_at <= moment,
        )
        .order_by(Submission.next_at, Submission.transfer_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = session().scalars(
        sa.update(Submission)
        .where(Submission.transfer_id.in_(due.scalar_subquery()))
        .values(state=SubmissionState.SENDING.value, lease=lease, lease_until=until, next_at=until)
        .returning(Submission.transfer_id)
        .execution_options(synchronize_session=False)
    )
    found = sorted(taken)
    return Claimed(lease, until, found) if found else None


def renew(claimed: Claimed, *, lease_of: timedelta) -> Claimed:
    """The lease again in full, before the call; without the lines that somebody took back meanwhile."""
    until = clock.now() + lease_of
    kept = session().scalars(
        sa.update(Submission)
        .where(Submission.lease == claimed.lease, Submission.state == SubmissionState.SENDING.value)
        .values(lease_until=until, next_at=until)
        .returning(Submission.transfer_id)
        .execution_options(synchronize_session=False)
    )
    return Claimed(claimed.lease, until, sorted(kept))


def still_ours(transfer_id: UUID, lease: UUID) -> bool:
    """Whether nobody took the line back; asked under the transfer's lock, or as a look ahead."""
    return bool(
        session().scalar(sa.select(sa.true()).where(Submission.transfer_id == transfer_id, Submission.lease == lease))
    )


def left_behind(provider_key: str, *, limit: int = 100) -> list[LeftBehind]:
    """Lines whose lease ran out, taken for this worker by a fresh lease."""
    moment = clock.now()
    due = (
        sa.select(Submission.transfer_id)
        .where(
            Submission.provider == provider_key,
            Submission.state == SubmissionState.SENDING.value,
            # a held line is due when its lease ends, so that the index finds it
            Submission.next_at <= moment,
            Submission.lease_until <= moment,
        )
        .order_by(Submission.next_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = session().execute(
        sa.update(Submission)
        .where(Submission.transfer_id.in_(due.scalar_subquery()))
        .values(lease=new_id(), lease_until=moment + LEASE, next_at=moment + LEASE)
        .returning(Submission.transfer_id, Submission.sent_at, Submission.file_id)
        .execution_options(synchronize_session=False)
    )
    return [LeftBehind(*row) for row in rows]


def put_back(transfer_id: UUID) -> None:
    """A line that was claimed and never came to be sent waits again."""
    session().execute(
        sa.update(Submission)
        .where(
            Submission.transfer_id == transfer_id,
            Submission.state == SubmissionState.SENDING.value,
            Submission.sent_at.is_(None),
        )
        .values(state=SubmissionState.WAITING.value, lease=None, lease_until=None, next_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def not_looked_at(transfer_id: UUID, lease: UUID, *, error: str) -> None:
    """The last look failed, so nothing was sent: the line waits, says why, and comes again by the backoff."""
    line = session().scalar(
        sa.select(Submission)
        .where(Submission.transfer_id == transfer_id, Submission.lease == lease, Submission.sent_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if line is not None:
        line.attempts += 1
        line.state, line.lease, line.lease_until = SubmissionState.WAITING.value, None, None
        line.next_at, line.last_error = clock.now() + backoff(line.attempts), error[:200]
        session().flush()


def say_why(transfer_id: UUID, *, error: str) -> None:
    """What keeps a line from going on; when it is taken up again stays as it is."""
    session().execute(
        sa.update(Submission)
        .where(Submission.transfer_id == transfer_id)
        .values(last_error=error[:200])
        .execution_options(synchronize_session=False)
    )


def try_again_later(transfer_id: UUID, *, error: str) -> None:
    """After `submitting.not_sent`, which set when: the waiting line says why."""
    line = session().get(Submission, transfer_id, populate_existing=True)
    if line is not None and line.state == SubmissionState.WAITING:
        line.last_error = error[:200]
        session().flush()


def ask_soon(transfer_id: UUID, *, error: str) -> None:
    """After `submitting.lost`: the line says why, and is asked about soon."""
    line = session().get(Submission, transfer_id, populate_existing=True)
    if line is not None and line.state == SubmissionState.UNKNOWN:
        line.last_error = error[:200]
        line.next_at = clock.now() + FIRST_WAIT
        session().flush()


def wait_for_news(transfer_ids: Sequence[UUID], *, ask_after: timedelta) -> None:
    """Sent lines are asked about when nothing is heard for so long."""
    session().execute(
        sa.update(Submission)
        .where(Submission.transfer_id.in_(transfer_ids), Submission.state == SubmissionState.SENT.value)
        .values(next_at=clock.now() + ask_after, last_error=None)
        .execution_options(synchronize_session=False)
    )


def due_to_ask(provider_key: str, *, limit: int) -> list[UUID]:
    """Lines of which nobody knows what became, or nobody heard for long; nobody else asks about them meanwhile."""
    moment = clock.now()
    due = (
        sa.select(Submission.transfer_id)
        .where(
            Submission.provider == provider_key,
            Submission.state.in_([SubmissionState.UNKNOWN.value, SubmissionState.SENT.value]),
            Submission.next_at <= moment,
        )
        .order_by(Submission.next_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = session().scalars(
        sa.update(Submission)
        .where(Submission.transfer_id.in_(due.scalar_subquery()))
        .values(next_at=moment + ASKING)
        .returning(Submission.transfer_id)
        .execution_options(synchronize_session=False)
    )
    return list(found)


def ask_again(transfer_id: UUID, *, after: timedelta | None = None, error: str | None = None) -> None:
    """It is still not known: ask again, the longer it takes the more seldom."""
    line = session().get(Submission, transfer_id, populate_existing=True)
    if line is None or line.state not in {SubmissionState.UNKNOWN, SubmissionState.SENT}:
        return
    moment = clock.now()
    wait = after
    if wait is None:
        since = moment - (line.sent_at or line.created_at)
        wait = min(max(since / 2, FIRST_WAIT), LONGEST_WAIT) * random.uniform(0.75, 1.25)  # noqa: S311
    line.next_at = moment + wait
    if error is not None:
        line.last_error = error[:200]
    session().flush()


def line_of(transfer_id: UUID) -> Submission | None:
    return session().get(Submission, transfer_id, populate_existing=True)


# --- evidence ------------------------------------------------------------------------------------------------------


def keep_message(
    provider_key: str,
    *,
    direction: str,
    kind: str,
    body: str,
    media_type: str = "application/json",
    reference: str | None = None,
    transfer_id: UUID | None = None,
    file_id: UUID | None = None,
) -> UUID:
    """Store what was said, word for word."""
    message = ProviderMessage(
        id=new_id(), provider=provider_key, direction=direction, kind=kind, reference=reference,
        transfer_id=transfer_id, file_id=file_id, media_type=media_type, body=body, at=clock.now(),
    )  # fmt: skip
    session().add(message)
    session().flush()
    return message.id


# --- files out -----------------------------------------------------------------------------------------------------


def plan_file(
    provider_key: str, *, name: str, message_id: str, format: str, sha256: str, size: int,
    transfer_ids: Sequence[UUID], lease: UUID,
) -> ProviderFile:  # fmt: skip
    """The row of a staged file, before it is published; its lines know it from here on."""
    file = ProviderFile(
        id=new_id(), provider=provider_key, direction="out", name=name, format=format, message_id=message_id,
        sha256=sha256, size=size, state="reading", entries=len(transfer_ids), failures={}, created_at=clock.now(),
    )  # fmt: skip
    session().add(file)
    session().flush()
    session().execute(
        sa.update(Submission)
        .where(Submission.transfer_id.in_(transfer_ids), Submission.lease == lease)
        .values(file_id=file.id)
        .execution_options(synchronize_session=False)
    )
    return file


def unpublished(provider_key: str, *, older_than: timedelta) -> list[ProviderFile]:
    """Files that were planned and of which nobody wrote that they are out, locked."""
    return list(
        session().scalars(
            sa.select(ProviderFile)
            .where(
                ProviderFile.provider == provider_key,
                ProviderFile.direction == "out",
                ProviderFile.state == "reading",
                ProviderFile.created_at <= clock.now() - older_than,
            )
            .order_by(ProviderFile.id)
            .with_for_update(skip_locked=True)
        )
    )


def file_names(provider_key: str) -> set[str]:
    """Names of files that were planned and are not known to be out."""
    return set(
        session().scalars(
            sa.select(ProviderFile.name).where(
                ProviderFile.provider == provider_key, ProviderFile.direction == "out", ProviderFile.state == "reading"
            )
        )
    )


def published(file_id: UUID) -> list[UUID]:
    """The file is out; gives the transfers in it."""
    session().execute(
        sa.update(ProviderFile)
        .where(ProviderFile.id == file_id, ProviderFile.state == "reading")
        .values(state="done", finished_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    return transfers_of(file_id)


def transfers_of(file_id: UUID) -> list[UUID]:
    return sorted(session().scalars(sa.select(Submission.transfer_id).where(Submission.file_id == file_id)))


def file_of_message(provider_key: str, message_id: str) -> ProviderFile | None:
    """Our file that a bank's answer names."""
    return session().scalar(
        sa.select(ProviderFile)
        .where(
            ProviderFile.provider == provider_key,
            ProviderFile.direction == "out",
            ProviderFile.message_id == message_id,
        )
        .limit(1)
    )
