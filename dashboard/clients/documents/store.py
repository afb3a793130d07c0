"""The folder of documents: each content once, named by its SHA-256, outside of everything the web serves.

The order of steps keeps a row from ever being without its file: the bytes are written beside, flushed to the disk and
renamed before the row is committed, and a file goes only when no row names it. Both happen under a lock of the
database that is named by the content, so that several machines that share the folder agree.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from dashboard.clients.documents.models import ClientDocument
from dashboard.database import session
from dashboard.errors import DomainError

FOLDER = "documents"
#: where bytes lie until they are whole
INCOMING = ".incoming"
#: what lies in `INCOMING` for longer was left by a process that died; nobody writes a few megabytes for so long
FORGOTTEN_SECONDS = 3600
#: keeps our locks apart from those of others
_LOCKS = 0x646F6373


class DocumentDamaged(DomainError):
    """The stored file is gone, or no longer what was uploaded."""

    status = 500
    code = "documentDamaged"


class NoRoom(DomainError):
    """The file cannot be written: the disk is full, or the folder is not ours."""

    status = 503
    code = "storageUnavailable"
    retry_after = 60


class Store:
    """One folder. Methods that take or remove files belong into a transaction: the lock ends with it."""

    def __init__(self, instance_path: Path) -> None:
        self.folder = instance_path / FOLDER

    def path_of(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256

    def _lock(self, sha256: str) -> None:
        """Wait for whoever keeps or removes the same content."""
        half = int.from_bytes(bytes.fromhex(sha256[:8]), "big", signed=True)
        session().execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCKS, half)))

    def keep(self, content: bytes) -> str:
        """Write the content to the disk, whole or not at all, and give its SHA-256. Raises NoRoom.

        A file that is there already is written anew: it may have been damaged meanwhile.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        self._lock(sha256)
        target = self.path_of(sha256)
        beside = self.folder / INCOMING / uuid4().hex
        try:
            beside.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(target)
            _flush_folder(target.parent)
        except OSError as error:
            with suppress(OSError):
                beside.unlink()
            raise NoRoom("The file could not be stored. Nothing was changed; tell an administrator.") from error
        return sha256

    def read(self, sha256: str) -> bytes:
        """The content. Raises DocumentDamaged where it is not what was stored."""
        try:
            content = self.path_of(sha256).read_bytes()
        except OSError as error:
            raise DocumentDamaged("The stored file is missing. Tell an administrator.") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DocumentDamaged("The stored file is no longer what was uploaded. Tell an administrator.")
        return content

    def remove_unused(self, hashes: Iterable[str]) -> int:
        """Remove files that no row needs any more; gives how many. One transaction for each call."""
        gone = 0
        for sha256 in hashes:
            self._lock(sha256)
            needed = sa.select(ClientDocument.id).where(
                ClientDocument.sha256 == sha256, ClientDocument.erased_at.is_(None)
            )
            if session().scalar(sa.select(needed.exists())):
                continue
            path = self.path_of(sha256)
            try:
                path.unlink()
            except FileNotFoundError:
                continue
            _flush_folder(path.parent)
            gone += 1
        return gone

    def forgotten(self) -> int:
        """Remove what uploads that died left half written; gives how many."""
        gone, edge = 0, time.time() - FORGOTTEN_SECONDS
        for path in _files(self.folder / INCOMING):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < edge:
                    path.unlink()
                    gone += 1
        return gone

    def stored(self) -> Iterator[list[str]]:
        """Names of all stored files, a folder at a time; those that are younger than an hour are left out: their row
        may not be committed yet."""
        edge = time.time() - FORGOTTEN_SECONDS
        if not self.folder.is_dir():
            return
        for folder in sorted(self.folder.iterdir()):
            if folder.name == INCOMING or not folder.is_dir():
                continue
            named = []
            for path in _files(folder):
                with suppress(FileNotFoundError):
                    if len(path.name) == 64 and path.stat().st_mtime < edge:
                        named.append(path.name)
            yield named


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except FileNotFoundError:
        return []


def _flush_folder(folder: Path) -> None:
    """A rename is on the disk once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
