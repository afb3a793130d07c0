"""The way of a file: begun, read, shown, committed. Nothing of it counts before it is committed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.database import constraint_of, new_id, savepoint, session
from dashboard.errors import Conflict, Refused
from dashboard.treasury.days import services as days
from dashboard.treasury.statements.models import Statement, StatementEntry, StatementImport, StatementLine
from dashboard.treasury.statements.reading import sniffing
from dashboard.treasury.statements.services import mappings, standing
from dashboard.treasury.statements.services.staging import locked
from dashboard.treasury.vocabulary import ImportState, StatementKind

LONGEST_NAME, LONGEST_REASON = 200, 500

#: called in the committing transaction for each bank account and the days that lines came for; matching learns of them
Came = Callable[[UUID, list[str]], None]


def digest_of(path: Path) -> str:
    """SHA-256 of the file in hex, read in pieces."""
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def begin(
    path: Path, *, name: str, source: str, by: Actor, bank_account_id: UUID | None = None, import_id: UUID | None = None
) -> StatementImport:
    """Note a file that is about to be read; `bank_account_id` is what a CSV file is of.

    Raises Unreadable for what is no statement file, Conflict `fileImported`, Refused `noMapping`, Forbidden.
    """
    by.require(Permission.TREASURY_WRITE)
    kind = sniffing.format_of(path)
    mapping = None
    if kind == "csv":
        mapping = mappings.current(bank_account_id) if bank_account_id else None
        if mapping is None:
            raise Refused(
                "A CSV file needs the bank account that it is of, and a saved mapping of its columns.", code="noMapping"
            )
    sha256 = digest_of(path)
    _refuse_known(sha256)
    row = StatementImport(
        id=import_id or new_id(),
        file_name=_plain(name),
        sha256=sha256,
        size=path.stat().st_size,
        format=kind,
        source=source,
        state=ImportState.PREVIEW.value,
        mapping_id=mapping.id if mapping else None,
        bank_account_id=bank_account_id if mapping else None,
        failures={},
        created_at=clock.now(),
        created_by_kind=by.kind,
        created_by_id=by.id,
        created_by=by.name,
    )
    session().add(row)
    session().flush()
    return row


def _plain(name: str) -> str:
    """The name of a file without folders and what no page should show."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(each if each.isprintable() else "_" for each in last).strip()[:LONGEST_NAME] or "unnamed"


def _refuse_known(sha256: str) -> None:
    known = session().scalar(
        sa.select(StatementImport).where(
            StatementImport.sha256 == sha256,
            StatementImport.state.in_((ImportState.IMPORTED.value, ImportState.IMPORTING.value)),
            StatementImport.refused == 0,
        )
    )
    if known is not None:
        raise Conflict(
            f"This very file was imported already, as {known.file_name}. Nothing was added.", code="fileImported",
            details={"importId": str(known.id)},
        )  # fmt: skip


def note_failed(
    path: Path, *, name: str, source: str, because: str, by: Actor, sha256: str | None = None
) -> StatementImport:
    """Note a file that could not be read at all."""
    row = StatementImport(
        id=new_id(), file_name=_plain(name), sha256=sha256 or digest_of(path), size=path.stat().st_size, format=None,
        source=source, state=ImportState.FAILED.value, reason=because[:LONGEST_REASON], failures={},
        created_at=clock.now(), created_by_kind=by.kind, created_by_id=by.id, created_by=by.name,
        finished_at=clock.now(),
    )  # fmt: skip
    session().add(row)
    session().flush()
    audit.record("statement_import.failed", by=by, object_type="statement_import", object_id=row.id,
                 after={"file": row.file_name, "reason": row.reason})  # fmt: skip
    return row


def fail(import_id: UUID, *, because: str, by: Actor) -> StatementImport:
    """End an import whose file could not be read to its end; what was read of it goes."""
    row = locked(import_id)
    if row.state in {ImportState.PREVIEW, ImportState.IMPORTING}:
        row.state, row.reason, row.finished_at = ImportState.FAILED.value, because[:LONGEST_REASON], clock.now()
        session().flush()
        remove_rows(import_id)
        audit.record("statement_import.failed", by=by, object_type="statement_import", object_id=row.id,
                     after={"file": row.file_name, "reason": row.reason})  # fmt: skip
    return row


def remove_rows(import_id: UUID) -> None:
    """Everything that was read of a file. The database refuses it while the file counts."""
    _without_clock()
    statements = sa.select(Statement.id).where(Statement.import_id == import_id)
    entries = sa.select(StatementEntry.id).where(StatementEntry.statement_id.in_(statements))
    for query in (
        sa.delete(StatementLine).where(StatementLine.entry_id.in_(entries)),
        sa.delete(StatementEntry).where(StatementEntry.statement_id.in_(statements)),
        sa.delete(Statement).where(Statement.import_id == import_id),
    ):
        session().execute(query.execution_options(synchronize_session=False))
    session().expire_all()


def _without_clock() -> None:
    """A file of a million entries takes longer than a request may."""
    session().execute(sa.text("SET LOCAL statement_timeout = 0"))


def read_to_the_end(row: StatementImport) -> None:
    """What is shown beside a preview. Called in the transaction that reads the last chunk, or after it."""
    row.repeated = standing.repeated(row.id)
    session().flush()


def commit(import_id: UUID, *, by: Actor) -> StatementImport:
    """Let what was read count. Days that are prepared or signed and get a line or a balance by it are reopened.

    Raises NotFound, Conflict `notAPreview`, `stillReading`, `fileImported`, Refused `nothingToImport`, Forbidden.
    """
    by.require(Permission.TREASURY_WRITE)
    row = locked(import_id)
    if row.state not in {ImportState.PREVIEW, ImportState.IMPORTING}:
        raise Conflict("This import is over already.", code="notAPreview", details={"state": row.state})
    if row.read_at is None:
        raise Conflict("The file is still being read. Commit it when it is shown.", code="stillReading")
    if not row.statements:
        first = next((str(each["reason"]) for each in row.failures.get("rows", [])), "")
        raise Refused(f"Nothing in this file can be imported. {first}".strip(), code="nothingToImport")
    _refuse_known(row.sha256)
    try:
        with savepoint():
            row.state = ImportState.IMPORTING.value
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "uq_statement_import_file":
            raise
        raise Conflict("This very file is being imported at this moment.", code="fileImported") from None
    _without_clock()
    statements = list(
        session().scalars(
            sa.select(Statement)
            .where(Statement.import_id == import_id)
            .order_by(Statement.last_day, Statement.sequence, Statement.page, Statement.place)
            .execution_options(populate_existing=True)
        )
    )
    accounts = {each.bank_account_id for each in statements}
    standing.hold(list(accounts))
    for each in statements:
        standing.stand(each)
    for account_id in accounts:
        since = min(each.first_day or each.last_day for each in statements if each.bank_account_id == account_id)
        standing.judge(account_id, since=since)
    row = locked(import_id)
    row.repeated = _repeated(import_id)
    row.state, row.finished_at = ImportState.IMPORTED.value, clock.now()
    session().flush()
    reopen_days(import_id, because=f"The file {row.file_name} brought a statement or lines of this day.", by=by)
    audit.record(
        "statement_import.committed", by=by, object_type="statement_import", object_id=row.id,
        after={"file": row.file_name, "sha256": row.sha256, "statements": row.statements, "entries": row.entries,
               "repeated": row.repeated, "refused": row.refused},
    )  # fmt: skip
    return row


def _repeated(import_id: UUID) -> int:
    return int(
        session().scalar(
            sa.select(sa.func.count())
            .select_from(StatementEntry)
            .join(Statement, Statement.id == StatementEntry.statement_id)
            .where(
                Statement.import_id == import_id,
                Statement.kind == StatementKind.STATEMENT.value,
                StatementEntry.status == "booked",
                StatementEntry.standing.is_(False),
            )
        )
        or 0
    )


def reopen_days(import_id: UUID, *, because: str, by: Actor) -> None:
    """Tell treasury days of every day that an import has a line or a closing balance of."""
    of_statements = sa.select(Statement.bank_account_id, Statement.last_day).where(
        Statement.import_id == import_id, Statement.kind == StatementKind.STATEMENT.value, Statement.standing
    )
    of_lines = (
        sa.select(StatementEntry.bank_account_id, StatementEntry.booking_date)
        .join(Statement, Statement.id == StatementEntry.statement_id)
        .where(Statement.import_id == import_id, StatementEntry.standing)
    )
    told = session().execute(sa.union(of_statements, of_lines)).tuples().all()
    for account_id, day in sorted(told, key=lambda each: (str(each[0]), each[1])):
        days.line_came_late(account_id, day, because=because, by=by)


def discard(import_id: UUID, *, by: Actor) -> StatementImport:
    """Take a preview back; its row stays. Raises NotFound, Conflict `notAPreview`, Forbidden."""
    by.require(Permission.TREASURY_WRITE)
    row = locked(import_id)
    if row.state != ImportState.PREVIEW:
        raise Conflict("Only a preview is discarded; an import is deleted.", code="notAPreview")
    row.state, row.finished_at = ImportState.DELETED.value, clock.now()
    session().flush()
    remove_rows(import_id)
    audit.record("statement_import.discarded", by=by, object_type="statement_import", object_id=row.id)
    return row
