"""Heads of the chain, kept outside the database: there alone can be seen that its end was cut off.

`INSTANCE_PATH/evidence/heads.jsonl` has one JSON object a line, appended and synced to the disk. Copy it to where the
operators of the database cannot write; the log has the same.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from dashboard import clock
from dashboard.audit.verify_audit import Head, moment, read_heads
from dashboard.web.logs import log

FILE = Path("evidence") / "heads.jsonl"


def keep(instance_path: Path, head: Head) -> Head:
    """Append the head as of now, and write it into the log. Raises OSError when it cannot be kept."""
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
    return kept


def kept(instance_path: Path) -> list[Head]:
    """Every head that was kept, oldest first; none without the file. Raises Unreadable for a damaged one."""
    path = instance_path / FILE
    return read_heads(path) if path.exists() else []
