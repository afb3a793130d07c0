"""How the providers are: what they said last, what waits, what failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.transfers.models import Provider, ProviderFile, ProviderMessage, Submission
from dashboard.transfers.vocabulary import SubmissionState

#: states of lines whose end is not known yet
_OPEN = (SubmissionState.WAITING, SubmissionState.SENDING, SubmissionState.SENT, SubmissionState.UNKNOWN)


@dataclass
class ProviderView:
    """Counts are of lines of the outbox by state; `oldest` of those that have not left."""

    provider: Provider
    lines: dict[str, int] = field(default_factory=dict)
    oldest: datetime | None = None
    attempts: int = 0
    last_error: str | None = None
    failed_files: int = 0
    last_in: datetime | None = None
    last_out: datetime | None = None
    last_file_in: ProviderFile | None = None
    last_file_out: ProviderFile | None = None

    @property
    def waiting(self) -> int:
        return self.lines.get("waiting", 0) + self.lines.get("sending", 0)


def all_views() -> list[ProviderView]:
    """Each provider with its figures, in order of the key."""
    views = {row.key: ProviderView(row) for row in session().scalars(sa.select(Provider).order_by(Provider.key))}
    counted = session().execute(
        sa.select(Submission.provider, Submission.state, sa.func.count(), sa.func.min(Submission.created_at),
                  sa.func.max(Submission.attempts))
        .where(Submission.state.in_([state.value for state in _OPEN]))
        .group_by(Submission.provider, Submission.state)
    )  # fmt: skip
    for key, state, count, oldest, attempts in counted:
        view = views[key]
        view.lines[state] = count
        if state in {"waiting", "sending"}:
            view.oldest = min(oldest, view.oldest) if view.oldest else oldest
            view.attempts = max(view.attempts, attempts)
    for key, view in views.items():
        view.last_in, view.last_out = _last_message(key, "in"), _last_message(key, "out")
        view.last_file_in, view.last_file_out = _last_file(key, "in"), _last_file(key, "out")
        view.last_error = session().scalar(
            sa.select(Submission.last_error)
            .where(
                Submission.provider == key,
                Submission.state.in_([state.value for state in _OPEN]),
                Submission.last_error.is_not(None),
            )
            .order_by(Submission.next_at.desc())
            .limit(1)
        )
        view.failed_files = session().scalar(
            sa.select(sa.func.count()).where(ProviderFile.provider == key, _failed(True))
        ) or 0  # fmt: skip
    return list(views.values())


def _last_message(key: str, direction: str) -> datetime | None:
    return session().scalar(
        sa.select(ProviderMessage.at)
        .where(ProviderMessage.provider == key, ProviderMessage.direction == direction)
        .order_by(ProviderMessage.id.desc())
        .limit(1)
    )


def _last_file(key: str, direction: str) -> ProviderFile | None:
    return session().scalar(
        sa.select(ProviderFile)
        .where(ProviderFile.provider == key, ProviderFile.direction == direction)
        .order_by(ProviderFile.id.desc())
        .limit(1)
    )


def _failed(wanted: bool) -> sa.ColumnElement[bool]:
    failed = sa.or_(ProviderFile.state == "failed", ProviderFile.failures != sa.text("'{}'::jsonb"))
    return failed if wanted else sa.true()


def files(
    key: str, *, failed: bool, limit: int, before: UUID | None = None, after: UUID | None = None
) -> list[ProviderFile]:
    """Files of a provider, newest first; `failed`: only those with something to look at. `before`: those older than a
    file; `after`: the nearest newer ones."""
    query = sa.select(ProviderFile).where(ProviderFile.provider == key, _failed(failed))
    if before is not None:
        query = query.where(ProviderFile.id < before)
    if after is not None:
        found = session().scalars(query.where(ProviderFile.id > after).order_by(ProviderFile.id).limit(limit))
        return list(found)[::-1]
    return list(session().scalars(query.order_by(ProviderFile.id.desc()).limit(limit)))
