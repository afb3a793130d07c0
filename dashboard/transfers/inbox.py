"""Reading what banks put into the inbox: `INSTANCE_PATH/inbox/<provider>/`, then moved to `done/` or `failed/`.

One process reads the inbox of a provider at a time (an advisory lock that ends with its connection). Each entry is a
transaction of its own that also notes how far the file was read, so that a reader which is killed goes on there.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
from lxml import etree

from dashboard.access.actor import Actor
from dashboard.database import db, session, transaction
from dashboard.errors import Conflict, DomainError
from dashboard.transfers.models import ProviderFile
from dashboard.transfers.models import Transfer as TransferRow
from dashboard.transfers.providers.iso20022 import booked, camt, reading, statuses
from dashboard.transfers.providers.port import Report
from dashboard.transfers.services import files, providers, sending
from dashboard.transfers.services.incoming import receiving, telling
from dashboard.transfers.services.outgoing import results
from dashboard.web.logs import log

LARGEST_FILE = 1024**3
#: a file that changed within this time may still be written
SETTLED_SECONDS = 2.0
UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload")
DONE, FAILED = "done", "failed"
#: first key of the advisory locks of inboxes
_LOCKS = 0x1B0C


#: a header block of SWIFT, or the first field of a statement, on its first lines
_MT = re.compile(rb"(\{1:|:20:|(?:[^<\r\n]{0,80}\r?\n){1,5}:20:)")


class Stopping(Exception):
    """The process ends; the file is taken up again later."""


def read_inboxes(
    instance_path: Path, *, by: Actor, stop: threading.Event | None = None, settled_seconds: float = SETTLED_SECONDS
) -> int:
    """Read what lies complete in the inboxes of all providers that take files; gives how many files."""
    with transaction():
        keys = [row.key for row in providers.all_providers() if row.kind == "files"]
    read = 0
    for key in keys:
        folder = instance_path / "inbox" / key
        for name in ("", DONE, FAILED):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        waiting = _complete(folder, settled_seconds)
        if not waiting:
            continue
        with db.engine.connect() as connection:
            # the lock is the connection's: whoever dies lets go of it
            if not connection.scalar(
                sa.text("SELECT pg_try_advisory_lock(:kind, hashtext(:key))"), {"kind": _LOCKS, "key": key}
            ):
                continue
            connection.commit()
            try:
                for path in waiting:
                    if path.exists():
                        _read_file(key, path, by=by, stop=stop)
                        read += 1
            except Stopping:
                return read
            finally:
                connection.execute(
                    sa.text("SELECT pg_advisory_unlock(:kind, hashtext(:key))"), {"kind": _LOCKS, "key": key}
                )
                connection.commit()
    return read


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


def place_of(instance_path: Path, file: ProviderFile) -> Path:
    """Where a finished file lies."""
    folder = instance_path / "inbox" / file.provider
    return folder / (DONE if file.state == "done" else FAILED) / _kept_name(file.id, file.name)


def put_back(instance_path: Path, file: ProviderFile, lies: Path) -> bool:
    """Lay a file that is to be read again into the inbox; False where it is gone."""
    try:
        lies.rename(instance_path / "inbox" / file.provider / file.name)
    except OSError:
        return False
    return True


def _kept_name(file_id: UUID, name: str) -> str:
    return f"{file_id.hex[-8:]}-{name}"


def _read_file(key: str, path: Path, *, by: Actor, stop: threading.Event | None) -> None:
    before = path.stat()
    size = before.st_size
    digest = _digest(path)
    reason = None
    if size == 0:
        reason = "The file is empty."
    elif size > LARGEST_FILE:
        reason = f"The file is larger than {LARGEST_FILE // 1024**2} MB."
    with transaction():
        if reason is None:
            file, fresh = files.begun(key, name=path.name, sha256=digest, size=size)
            if not fresh:
                reason = f"The same content was read before, as {file.name}."
        if reason is not None:
            file = files.refused(key, name=path.name, sha256=digest, size=size, reason=reason)
    if reason is None:
        reason = _read(file, path, by=by, stop=stop)
        after = path.stat()
        if reason is None and (after.st_size, after.st_mtime_ns) != (size, before.st_mtime_ns):
            reason = "The file changed while it was read."
        with transaction():
            file = files.finished(file.id, failed_because=reason)
    target = path.parent / (FAILED if reason else DONE) / _kept_name(file.id, path.name)
    path.rename(target)
    if reason:
        target.with_name(target.name + ".reason.txt").write_text(reason + "\n")
    log.info("inbox", provider=key, file=str(file.id), state=file.state, entries=file.entries,
             failures=int(file.failures.get("count", 0)))  # fmt: skip


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1024 * 1024):
            found.update(block)
    return found.hexdigest()


def _read(file: ProviderFile, path: Path, *, by: Actor, stop: threading.Event | None) -> str | None:
    """Why the file failed, or None. What was taken before it failed stays taken."""
    resumed = file.entries > 0
    try:
        if _is_mt(path):
            return "MT940 and MT942 are not read here: ask the bank for camt.053 or camt.054."
        kind = reading.format_of(path)
        with transaction():
            files.recognized(file.id, format=kind)
        if kind == "pain.002":
            steps = _statuses(file, path, by)
        elif kind in {"camt.053", "camt.054"}:
            steps = _entries(file, path, by)
        else:
            return f"{kind} is not read here."
        told = sum(1 for _ in _guarded(steps, stop))
    except reading.Unreadable as error:
        return str(error)
    except (ValueError, ArithmeticError, RecursionError, etree.LxmlError) as error:
        # whatever a file does to its reader, the next one is read
        session().rollback()
        log.exception("inbox file not readable", provider=file.provider, file=str(file.id))
        return f"The file could not be read ({type(error).__name__})."
    with transaction():
        state = session().get_one(ProviderFile, file.id, populate_existing=True)
        failed = int(state.failures.get("count", 0))
    if told and failed == told and not resumed:
        first = next((str(each["reason"]) for each in state.failures.get("entries", [])), "")
        return f"None of its entries could be taken. {first}".strip()
    return None


def _is_mt(path: Path) -> bool:
    """Whether it begins as banks' older statements do."""
    with path.open("rb") as stream:
        beginning = stream.read(1024).lstrip(b"\xef\xbb\xbf\x01\r\n\t ")
    return bool(_MT.match(beginning))


def _guarded(steps: Iterator[None], stop: threading.Event | None) -> Iterator[None]:
    for step in steps:
        if stop is not None and stop.is_set():
            raise Stopping
        yield step


# --- booked entries ------------------------------------------------------------------------------------------------


def _entries(file: ProviderFile, path: Path, by: Actor) -> Iterator[None]:
    seen: Counter[str] = Counter()
    done = file.entries
    for entry in camt.entries(path):
        again = entry.number <= done
        try:
            told = booked.told(entry, provider=file.provider, seen=seen)
        except booked.NotTaken as error:
            if not again:
                with transaction():
                    files.not_taken(file.id, entry.number, reason=str(error), reference=entry.servicer_reference)
                yield
            continue
        if again:
            # taken before the reader was killed; its references count all the same
            continue
        _take(file, entry, told, by)
        yield


def _take(file: ProviderFile, entry: camt.Entry, told: list[booked.Told], by: Actor) -> None:
    """All that an entry tells, each in a transaction of its own that a second reading does not repeat."""
    failures = []
    for each in told:
        try:
            _tell(file, entry, each, by)
        except Conflict as error:
            failures.append(error.message)
        except DomainError as error:
            failures.append(error.message)
        except (sa.exc.IntegrityError, sa.exc.DataError, ValueError, ArithmeticError, AssertionError) as error:
            session().rollback()
            failures.append(f"An unexpected error ({type(error).__name__}).")
    with transaction():
        if failures:
            files.not_taken(file.id, entry.number, reason=" ".join(dict.fromkeys(failures)),
                            reference=entry.servicer_reference)  # fmt: skip
        else:
            files.read_up_to(file.id, entry.number)


def _tell(file: ProviderFile, entry: camt.Entry, told: booked.Told, by: Actor) -> None:
    kind = entry.statement.format
    if told.credit is not None:
        if providers_account(file.provider, entry.statement.account, told.credit.currency) is None:
            raise DomainError("The account of the entry is no bank account of the house at this provider.")
        with transaction():
            message_id = sending.keep_message(
                file.provider, direction="in", kind=kind, body=entry.source or "", media_type="application/xml",
                reference=told.credit.provider_reference, file_id=file.id,
            )  # fmt: skip
        try:
            telling.tell(told.credit, source=kind, message_id=message_id, by=by)
        except receiving.OwnMoney:
            # booked when it left the other bank; the statement of this one settles it
            return
    elif told.report is not None:
        _report(file, told.report, kind=kind, body=entry.source or "", by=by)


def providers_account(provider: str, number: str | None, currency: str) -> UUID | None:
    """Our bank account that a statement is of."""
    if number is None:
        return None
    with transaction():
        bank = providers.bank_account(provider, currency, number=number)
        return bank.id if bank is not None else None


def _report(file: ProviderFile, report: Report, *, kind: str, body: str, by: Actor) -> None:
    with transaction():
        transfer = results.report(file.provider, report, by=by)
        # a booked debit that is none of ours is the bank's own business; nothing is kept of it here
        if transfer is not None:
            sending.keep_message(
                file.provider, direction="in", kind=kind, body=body, media_type="application/xml",
                reference=report.end_to_end_id, transfer_id=transfer.id, file_id=file.id,
            )  # fmt: skip


# --- statuses ------------------------------------------------------------------------------------------------------


def _statuses(file: ProviderFile, path: Path, by: Actor) -> Iterator[None]:
    single: set[str] = set()
    done = file.entries
    for place, said in enumerate(statuses.statuses(path), 1):
        if said.report is not None:
            single.add(said.report.end_to_end_id)
        if place <= done:
            continue
        problem = None
        try:
            problem = _status(file, said, single, by)
        except DomainError as error:
            problem = error.message
        except (sa.exc.IntegrityError, sa.exc.DataError, AssertionError) as error:
            session().rollback()
            problem = f"An unexpected error ({type(error).__name__})."
        with transaction():
            if problem:
                reference = said.report.end_to_end_id if said.report else said.message_id
                files.not_taken(file.id, place, reason=problem, reference=reference)
            else:
                files.read_up_to(file.id, place)
        yield


def _status(file: ProviderFile, said: statuses.Said, single: set[str], by: Actor) -> str | None:
    """Apply one status; gives why it could not be applied."""
    if said.report is not None:
        with transaction():
            known = results.report(file.provider, said.report, by=by)
            if known is None:
                return "The bank tells of a transfer that is not known here."
            sending.keep_message(
                file.provider, direction="in", kind="pain.002", body=said.source, media_type="application/xml",
                reference=said.report.end_to_end_id, transfer_id=known.id, file_id=file.id,
            )  # fmt: skip
        return None
    outcome = statuses.MEANINGS.get(said.status)
    if outcome is None:
        # PART: what it means stands with the single transfers
        return None if said.status == "PART" else f"The status {said.status} is not known here."
    if said.message_id is None:
        return "The bank's answer names none of our files or transfers."
    with transaction():
        ours = sending.file_of_message(file.provider, said.message_id)
        if ours is None:
            return "The bank tells of a file that is not known here."
        found = session().execute(
            sa.select(TransferRow.id, TransferRow.end_to_end_id).where(
                TransferRow.id.in_(sending.transfers_of(ours.id))
            )
        )
        rest = sorted((row.id, row.end_to_end_id) for row in found if row.end_to_end_id not in single)
    for _, end_to_end_id in rest:
        report = Report(end_to_end_id, outcome, None, said.code, said.reason)
        _report(file, report, kind="pain.002", body=said.source, by=by)
    return None
