"""Taking in what banks or their transfer programs lay into `INSTANCE_PATH/statements/`.

Files are imported without a preview. A CSV file says by its name which bank account it is of. One process looks at a
time; one that is killed half-way is finished by the next.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.database import db, session, transaction
from dashboard.errors import Conflict, DomainError
from dashboard.treasury.register import queries as register
from dashboard.treasury.statements import jobs
from dashboard.treasury.statements.models import StatementImport
from dashboard.treasury.statements.reading import sniffing
from dashboard.treasury.statements.reading.stream import Unreadable
from dashboard.treasury.statements.services import importing, mappings
from dashboard.treasury.statements.store import Store
from dashboard.treasury.vocabulary import ImportState
from dashboard.web.logs import log

#: a file that changed within this time may still be written
SETTLED_SECONDS = 2.0
UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload")
SOURCE = "inbox"
#: the advisory lock of the folder
_LOCK = (0x57A8, 1)


def look(
    instance_path: Path, *, by: Actor, stop: threading.Event | None = None, settled_seconds: float = SETTLED_SECONDS
) -> dict[str, int]:
    """Import what lies complete in the inbox; gives how many files were imported, and how many failed."""
    store = Store(instance_path)
    store.prepare()
    figures = {"imported": 0, "failed": 0}
    with db.engine.connect() as connection:
        # the lock is the connection's: whoever dies lets go of it
        values = {"kind": _LOCK[0], "key": _LOCK[1]}
        if not connection.scalar(sa.text("SELECT pg_try_advisory_lock(:kind, :key)"), values):
            return figures
        connection.commit()
        try:
            for import_id, path in store.all_held().items():
                if stop is not None and stop.is_set():
                    return figures
                _count(figures, _guarded(path, partial(_go_on, store, import_id, path, by=by)))
            for path in _complete(store.inbox, settled_seconds):
                if stop is not None and stop.is_set():
                    return figures
                _count(figures, _guarded(path, partial(_take, store, path, by=by)))
        finally:
            connection.execute(sa.text("SELECT pg_advisory_unlock(:kind, :key)"), values)
            connection.commit()
    return figures


def _guarded(path: Path, work: Callable[[], bool | None]) -> bool | None:
    """One file never keeps the others waiting: what failed here lies where it was, and is tried again."""
    try:
        return work()
    except Exception as error:
        session().rollback()
        log.error("statements", file=ascii(path.name)[:80], state="waiting", error=type(error).__name__)
        return False


def _count(figures: dict[str, int], went_well: bool | None) -> None:
    if went_well is not None:
        figures["imported" if went_well else "failed"] += 1


def _complete(folder: Path, settled_seconds: float) -> list[Path]:
    """Files that nobody writes any more, the oldest first."""
    found, now = [], time.time()
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_file() or path.name.startswith("."):
            continue
        if path.name.lower().endswith(UNFINISHED):
            continue
        written = path.stat().st_mtime
        if now - written >= settled_seconds:
            found.append((written, path.name, path))
    return [path for _, _, path in sorted(found)]


def _go_on(store: Store, import_id: UUID, path: Path, *, by: Actor) -> bool | None:
    """Finish what an earlier look began; None where the file is none of the inbox."""
    with transaction():
        row = session().get(StatementImport, import_id, populate_existing=True)
        if row is None or row.source != SOURCE:
            return None
        name, state, reason = row.file_name, row.state, row.reason
    if state in {ImportState.PREVIEW, ImportState.IMPORTING}:
        return _import(store, import_id, name, by=by)
    store.lay(path, f"{import_id.hex[-8:]}-{name}", failed_because=reason)
    return None


def _take(store: Store, path: Path, *, by: Actor) -> bool:
    begun = None
    try:
        sha256 = importing.digest_of(path)
        with transaction():
            begun = session().scalar(
                sa.select(StatementImport).where(
                    StatementImport.sha256 == sha256,
                    StatementImport.source == SOURCE,
                    StatementImport.state == ImportState.PREVIEW.value,
                )
            )
            if begun is None:
                begun = importing.begin(
                    path, name=path.name, source=SOURCE, by=by, bank_account_id=_account_named_by(path)
                )
            import_id, name = begun.id, begun.file_name
        store.take(import_id, path)
    except (OSError, sa.exc.OperationalError):
        # the disk or the database, not the file
        raise
    except Exception as reason:
        words = _words(reason)
        repeated = isinstance(reason, Conflict)
        if not repeated:
            with transaction():
                row = importing.note_failed(path, name=path.name, source=SOURCE, because=words, by=by)
                # what cannot be laid aside is not noted again at each look
                store.lay(path, f"{sha256[:8]}-{path.name}", failed_because=words)
                log.info("statements", file=str(row.id), state=row.state)
        else:
            store.lay(path, f"{sha256[:8]}-{path.name}", failed_because=words)
        return False
    return _import(store, import_id, name, by=by)


def _import(store: Store, import_id: UUID, name: str, *, by: Actor) -> bool:
    reason = None
    try:
        jobs.read(import_id, store)
        with transaction():
            importing.commit(import_id, by=by)
    except (OSError, sa.exc.OperationalError):
        raise
    except Exception as failure:
        session().rollback()
        reason = _words(failure)
    if reason is not None:
        with transaction():
            importing.fail(import_id, because=reason, by=by)
    store.finish(import_id, name, failed_because=reason)
    log.info("statements", file=str(import_id), state="failed" if reason else "imported")
    return reason is None


def _words(failure: Exception) -> str:
    """Why a file was not taken, without anything of its content."""
    if isinstance(failure, DomainError):
        return failure.message
    if isinstance(failure, Unreadable):
        return str(failure)
    log.error("statements", state="failed", error=type(failure).__name__)
    return f"The file could not be imported ({type(failure).__name__})."


def _account_named_by(path: Path) -> UUID | None:
    """The bank account whose number stands in the name of a CSV file; None where it is no CSV, or not just one."""
    if sniffing.format_of(path) != "csv":
        return None
    words = re.sub(r"[^A-Z0-9]+", " ", path.stem.upper()).split()
    together = "".join(words)
    known = mappings.mapped()
    found = [
        view for view in register.accounts() if view.id in known and _plain(view.number) in together
        and (view.currency.upper() in words or _alone(view.number))
    ]  # fmt: skip
    return found[0].id if len(found) == 1 else None


def _plain(number: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", number.upper())


def _alone(number: str) -> bool:
    return len(register.by_number(number)) == 1
