"""Heads of the chain, kept outside the database: there alone can be seen that its end was cut off.

`INSTANCE_PATH/evidence/heads.jsonl` has one JSON object a line, appended and synced to the disk. Copy it to where the
operators of the database cannot write; the log has the same. That a head was written is an event of the audit, sealed
as any other, so that the file and the chain watch each other: a line that is gone from the file is found as well.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.audit.models import AuditEvent, AuditPayload
from dashboard.audit.verify_audit import Broken, Head, moment, read_heads
from dashboard.database import session
from dashboard.web.logs import log

FILE = Path("evidence") / "heads.jsonl"
KEPT = "audit.head_kept"


def keep(instance_path: Path, head: Head, *, by: Actor) -> Head:
    """Append the head as of now to the file, write it into the log, and record in the caller's transaction that it was
    written. Raises OSError when it cannot be kept."""
    kept = Head(head.position, head.hash, moment(clock.now()))
    path = instance_path / FILE
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    line = json.dumps({"at": kept.at, "position": kept.position, "count": kept.position, "hash": kept.hash}) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    log.info("audit head", position=kept.position, hash=kept.hash)
    # after the file: a head that is in the file alone is no finding, one that is recorded alone would be
    audit.record(
        KEPT, by=by, object_type="audit", object_id=None,
        after={"position": kept.position, "hash": kept.hash, "at": kept.at, "where": place(instance_path)},
    )  # fmt: skip
    return kept


def place(instance_path: Path) -> str:
    """Which file it is: several machines keep heads of one database."""
    return f"{socket.gethostname()}:{instance_path.resolve() / FILE}"


def kept(instance_path: Path) -> list[Head]:
    """Every head that is in the file, oldest first; none without the file. Raises Unreadable for a damaged one."""
    path = instance_path / FILE
    return read_heads(path) if path.exists() else []


class Told(NamedTuple):
    """A head of which the audit says that it was written, and into which file."""

    event: UUID
    head: Head
    where: str


def told() -> list[Told]:
    """What the audit says of heads that were written, oldest first."""
    rows = session().execute(
        sa.select(AuditEvent.id, AuditPayload.after)
        .join(AuditPayload, AuditPayload.event_id == AuditEvent.id)
        .where(AuditEvent.action == KEPT)
        .order_by(AuditEvent.occurred_at, AuditEvent.id)
    )
    found = []
    for event, after in rows:
        said = after or {}
        values = [said.get(name) for name in ("position", "hash", "at", "where")]
        # one that was altered so far is found along the chain
        if isinstance(values[0], int) and all(isinstance(value, str) for value in values[1:]):
            found.append(Told(event, Head(values[0], str(values[1]), str(values[2])), str(values[3])))
    return found


def missing(in_file: Sequence[Head], written: Sequence[Told], *, where: str) -> Broken | None:
    """The first head that was written into this file and is not in it; or, where this file has none at all, that heads
    were written at all: without any nothing outside the database ties the chain."""
    if not written:
        return None
    newest = written[-1]
    if not in_file:
        here = newest.where == where or any(one.where == where for one in written)
        gone = "and the file is gone or empty" if here else f"into {newest.where}, and here is no file of heads"
        return Broken(None, f"heads were written until {newest.head.at}, {gone}", str(newest.event))
    known = {(head.position, head.hash, head.at) for head in in_file}
    for one in written:
        if one.where == where and tuple(one.head) not in known:
            return Broken(
                None, f"the head of position {one.head.position}, written on {one.head.at}, is gone from the file of"
                f" heads; heads were written until {newest.head.at}", str(one.event),
            )  # fmt: skip
    return None
