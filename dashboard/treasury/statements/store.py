"""Where files of statements lie: `INSTANCE_PATH/statements/`.

The folder itself is the inbox. What is being read lies in `held/` under the id of its import; what was imported goes to
`done/`, what was not to `failed/`, with a text that says why.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

#: bytes of a name, so that with what is put behind it no file system refuses it
LONGEST_NAME = 200
FOLDER, HELD, DONE, FAILED = "statements", "held", "done", "failed"
_root: list[Path] = []


def install(instance_path: Path) -> None:
    """Said once by app.py, for work that runs beside requests."""
    _root[:] = [instance_path]


def _short(name: str) -> str:
    """Cut before its suffix, by bytes: a letter may be several."""
    if len(name.encode(errors="surrogateescape")) <= LONGEST_NAME:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix) > 10:
        stem, suffix = name, ""
    ending = (dot + suffix) if suffix else ""
    room = LONGEST_NAME - len(ending.encode(errors="surrogateescape"))
    return stem.encode(errors="surrogateescape")[:room].decode(errors="ignore") + ending


class Store:
    """The folder of one installation."""

    def __init__(self, instance_path: Path | None = None) -> None:
        self.inbox = (instance_path or _root[0]) / FOLDER

    def prepare(self) -> None:
        """Make the folders that are missing, readable by nobody else."""
        for name in ("", HELD, DONE, FAILED):
            (self.inbox / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def held(self, import_id: UUID) -> Path:
        return self.inbox / HELD / import_id.hex

    def all_held(self) -> dict[UUID, Path]:
        """Files that are being read, by import. What is named otherwise is none of ours."""
        found = {}
        for path in sorted((self.inbox / HELD).iterdir()):
            try:
                found[UUID(hex=path.name)] = path
            except ValueError:
                continue
        return found

    def keep(self, import_id: UUID, stream: BinaryIO) -> Path:
        """Write an upload down; the name appears when all of it is there."""
        self.prepare()
        target = self.held(import_id)
        part = target.with_suffix(".part")
        with part.open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
        return part.rename(target)

    def take(self, import_id: UUID, path: Path) -> Path:
        """Take a file out of the inbox."""
        return path.rename(self.held(import_id))

    def forget(self, import_id: UUID) -> None:
        self.held(import_id).unlink(missing_ok=True)

    def finish(self, import_id: UUID, name: str, *, failed_because: str | None = None) -> None:
        """Lay a file where its end belongs. Nothing happens where it lies there already."""
        path = self.held(import_id)
        if path.exists():
            self.lay(path, f"{import_id.hex[-8:]}-{name}", failed_because=failed_because)

    def lay(self, path: Path, name: str, *, failed_because: str | None = None) -> None:
        """Lay a file aside, under a shorter name where that one leaves no room for the reason beside it."""
        self.prepare()
        target = self.inbox / (FAILED if failed_because else DONE) / _short(name)
        path.rename(target)
        if failed_because:
            target.with_name(target.name + ".reason.txt").write_text(failed_because + "\n", encoding="utf-8")
