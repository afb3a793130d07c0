"""Bookkeeping of files that providers gave: each content once, how far it was read, what could not be taken."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import NotFound, Refused
from dashboard.transfers.models import ProviderFile

#: failures that are kept with place and reason; of more, how many there were
MOST_FAILURES = 200


def begun(provider: str, *, name: str, sha256: str, size: int) -> tuple[ProviderFile, bool]:
    """The row of this content, and whether it is to be read: a fresh one, or one that somebody left unfinished.

    False: it was read before; the row is the one of the first reading.
    """
    known = session().scalar(
        sa.select(ProviderFile).where(
            ProviderFile.provider == provider,
            ProviderFile.direction == "in",
            ProviderFile.sha256 == sha256,
            ProviderFile.state != "failed",
        )
    )
    if known is not None:
        return known, known.state == "reading"
    return _added(provider, name=name, sha256=sha256, size=size, state="reading", reason=None), True


def refused(provider: str, *, name: str, sha256: str, size: int, reason: str) -> ProviderFile:
    """A file that is not read at all, with why."""
    return _added(provider, name=name, sha256=sha256, size=size, state="failed", reason=reason)


def _added(provider: str, *, name: str, sha256: str, size: int, state: str, reason: str | None) -> ProviderFile:
    moment = clock.now()
    file = ProviderFile(
        id=new_id(), provider=provider, direction="in", name=name[:255], sha256=sha256, size=size, state=state,
        reason=reason, entries=0, failures={}, created_at=moment, finished_at=moment if state == "failed" else None,
    )  # fmt: skip
    session().add(file)
    session().flush()
    return file


def recognized(file_id: UUID, *, format: str, message_id: str | None = None) -> None:
    session().execute(
        sa.update(ProviderFile).where(ProviderFile.id == file_id).values(format=format, message_id=message_id)
    )


def read_up_to(file_id: UUID, place: int) -> None:
    """In the transaction of an entry: all up to this one are done."""
    session().execute(sa.update(ProviderFile).where(ProviderFile.id == file_id).values(entries=place))


def not_taken(file_id: UUID, place: int, *, reason: str, reference: str | None) -> None:
    """In a transaction of its own: the entry is passed over, and why."""
    file = session().get_one(ProviderFile, file_id, with_for_update=True, populate_existing=True)
    failures: dict[str, Any] = {"count": int(file.failures.get("count", 0)) + 1,
                                "entries": list(file.failures.get("entries", []))}  # fmt: skip
    if len(failures["entries"]) < MOST_FAILURES:
        failures["entries"].append({"place": place, "reason": reason, "reference": reference})
    file.failures = failures
    file.entries = place
    session().flush()


def finished(file_id: UUID, *, failed_because: str | None) -> ProviderFile:
    file = session().get_one(ProviderFile, file_id, populate_existing=True)
    file.state = "failed" if failed_because else "done"
    file.reason = failed_because
    file.finished_at = clock.now()
    session().flush()
    return file


def ask_to_retry(file_id: UUID, *, by: Actor) -> ProviderFile:
    """Read a file again whose entries could not all be taken; what was taken is not taken twice.

    Raises NotFound `fileNotFound`, Refused `nothingToRetry`, `contentRead`.
    """
    file = session().scalar(sa.select(ProviderFile).where(ProviderFile.id == file_id).with_for_update())
    if file is None or file.direction != "in":
        raise NotFound("There is no such file.", code="fileNotFound")
    if file.state == "reading" or (file.state == "done" and not file.failures):
        raise Refused("Nothing of this file failed.", code="nothingToRetry", details={"state": file.state})
    other = session().scalar(
        sa.select(ProviderFile.id).where(
            ProviderFile.provider == file.provider,
            ProviderFile.direction == "in",
            ProviderFile.sha256 == file.sha256,
            ProviderFile.state != "failed",
            ProviderFile.id != file.id,
        )
    )
    if other is not None:
        raise Refused("The same content was read from another file.", code="contentRead",
                      details={"fileId": str(other)})  # fmt: skip
    before = {"state": file.state, "reason": file.reason}
    file.state, file.reason, file.finished_at, file.entries, file.failures = "reading", None, None, 0, {}
    session().flush()
    audit.record("providerFile.retried", by=by, object_type="provider_file", object_id=file.id, before=before)
    return file
