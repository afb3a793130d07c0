"""Where exported files lie: `INSTANCE_PATH/exports/`, each under a random name, readable by the house's own user only.

A file appears under its name when all of it is on the disk. What is being written lies in `.part/`, and so do the
sheets that the workbook is made of.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from dashboard.errors import DomainError

FOLDER, PART = "exports", ".part"
#: what lies in `.part` for longer without having been written to was left by a process that died
FORGOTTEN_SECONDS = 6 * 3600
_NAME = re.compile(r"[0-9a-f]{32}")
_root: list[Path] = []


class NoRoom(DomainError):
    """The file cannot be written: the disk is full, or the folder is not ours."""

    status = 503
    code = "storageUnavailable"


def install(instance_path: Path) -> None:
    """Said once by app.py, for work that runs beside requests."""
    _root[:] = [instance_path]


def folder() -> Path:
    return _root[0] / FOLDER


def parts() -> Path:
    """Where files are written; made when it is missing."""
    for place in (folder(), folder() / PART):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder() / PART


def path_of(name: str) -> Path:
    """Raises ValueError for what is no name of a file here."""
    if not _NAME.fullmatch(name):
        raise ValueError("no name of an exported file")
    return folder() / name


class Writing:
    """A file on its way: `file` is written to, `keep` gives it its name."""

    def __init__(self) -> None:
        self.name = secrets.token_hex(16)
        self.beside = parts() / self.name
        self.file: IO[bytes] = os.fdopen(os.open(self.beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")

    def keep(self) -> tuple[str, int]:
        """Bring it to the disk and then under its name; gives name and size in bytes."""
        self.file.flush()
        os.fsync(self.file.fileno())
        size = os.fstat(self.file.fileno()).st_size
        self.file.close()
        self.beside.replace(path_of(self.name))
        _flush_folder(folder())
        return self.name, size


@contextmanager
def writing() -> Iterator[Writing]:
    """A new file; what was not kept is gone in the end. Raises NoRoom."""
    try:
        found = Writing()
        try:
            yield found
        finally:
            # closing writes what is left, for which there may be no room
            with suppress(OSError):
                found.file.close()
            found.beside.unlink(missing_ok=True)
    except OSError as error:
        raise NoRoom(
            "The file could not be written: there is no room, or the folder of exports is not ours."
        ) from error


def remove(name: str) -> None:
    """Remove a file. Nothing happens where it is gone already."""
    path_of(name).unlink(missing_ok=True)


def sweep(known: Collection[str]) -> int:
    """Remove files that nobody knows, and what processes that died left half written; gives how many."""
    gone, edge = 0, time.time() - FORGOTTEN_SECONDS
    for place in (parts(), folder()):
        for path in sorted(place.iterdir()):
            with suppress(FileNotFoundError):
                # a fresh one may be known in a moment
                if path.is_file() and path.name not in known and path.stat().st_mtime < edge:
                    path.unlink()
                    gone += 1
    return gone


def _flush_folder(place: Path) -> None:
    """A rename is on the disk once its folder is."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
