"""Reading a file into its rows, a chunk at a time. Nothing of it counts before the import is committed.

Each chunk is written together with how far the stream was read: a reader that is killed goes on behind the last chunk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from lxml import etree

from dashboard import clock
from dashboard.database import new_id, new_ids, session
from dashboard.errors import Conflict, NotFound
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.statements.models import CsvMapping, Statement, StatementEntry, StatementImport, StatementLine
from dashboard.treasury.statements.reading import sniffing
from dashboard.treasury.statements.reading.csv_rows import Rules
from dashboard.treasury.statements.reading.stream import End, Entry, Head, Item, Refused, Unreadable
from dashboard.treasury.statements.services import taking
from dashboard.treasury.statements.services.taking import NotTaken, Taken
from dashboard.treasury.vocabulary import ImportState, StatementKind, TieOut

#: items of the stream in a transaction
CHUNK = 1_000
#: rows that could not be taken and are kept by name
MOST_REFUSED = 1_000
MOST_REMARKS = 20
#: what a column of minor units holds
MOST_MINOR = 2**63 - 1
#: how the formats begin that a format of the register means
_FAMILIES = {"camt": "camt", "mt940": "mt94", "csv": "csv"}

_ENTRY = ("id", "statement_id", "bank_account_id", "number", "currency", "amount_minor", "status", "reversal",
          "booking_date", "value_date", "key", "fingerprint", "referenced", "bank_reference", "batch_reference", "code",
          "text")  # fmt: skip
_LINE = ("id", "entry_id", "bank_account_id", "position", "currency", "amount_minor", "booking_date", "value_date",
         "end_to_end_id", "provider_reference", "batch_reference", "bank_references", "counterparty",
         "counterparty_account", "remittance")  # fmt: skip


def locked(import_id: UUID) -> StatementImport:
    """The import, held until the transaction ends. Raises NotFound."""
    found = session().scalar(
        sa.select(StatementImport)
        .where(StatementImport.id == import_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("There is no such import.", code="importNotFound")
    return found


class Staging:
    """Reads one file into one import. Call `step` in a transaction of its own until it gives False."""

    def __init__(self, import_id: UUID, path: Path) -> None:
        """Where the import was read in part, what was read is passed over. Raises NotFound, Unreadable."""
        row = session().get(StatementImport, import_id, populate_existing=True)
        if row is None:
            raise NotFound("There is no such import.", code="importNotFound")
        self.id = import_id
        self.path = path
        self.format = row.format
        self.read = 0
        self.account: BankAccountView | None = None
        self.statement: Statement | None = None
        self.head: Head | None = None
        self.skipped_until = row.read_items
        self._known: dict[tuple[str | None, str | None, str | None], BankAccountView | str] = {}
        self._items = self._open(row)
        self._entries: list[tuple[Any, ...]] = []
        self._lines: list[tuple[Any, ...]] = []
        self._refused: list[Refused] = []
        self._odd: list[str] = []

    def _open(self, row: StatementImport) -> Iterator[Item]:
        rules = account = None
        if row.format == "csv":
            mapping = session().get(CsvMapping, row.mapping_id) if row.mapping_id else None
            account = mapping.bank_account_id if mapping else None
            rules = Rules.of(mapping.rules) if mapping else None
        number, currency = "", ""
        if account is not None:
            view = register.account(account)
            number, currency = view.number, view.currency
        return sniffing.items(self.path, row.format or "", rules=rules, account=number, currency=currency)

    def step(self) -> bool:
        """Read the next chunk and write it; False when the file is over. Raises Unreadable."""
        row = locked(self.id)
        if row.state != ImportState.PREVIEW or row.read_at is not None:
            return False
        if row.read_items != max(self.read, self.skipped_until):
            raise Conflict("Another process reads this file at this moment.", code="inProgress")
        self._passed_over()
        taken, over = 0, True
        try:
            for item in self._items:
                self.read += 1
                taken += 1
                self._take(item)
                if taken >= CHUNK:
                    over = False
                    break
            self._write(row)
        except (ValueError, ArithmeticError, RecursionError, LookupError, etree.LxmlError, sa.exc.DataError,
                psycopg.DataError) as error:  # fmt: skip
            # whatever a file does to its reader, or to the database, the next one is read
            raise Unreadable(f"The file could not be read ({type(error).__name__}).") from None
        row.read_items = self.read
        if over:
            row.read_at = clock.now()
        session().flush()
        return not over

    def _passed_over(self) -> None:
        """What an earlier reader wrote, so that the rest finds the statement it belongs to."""
        while self.read < self.skipped_until:
            item = next(self._items, None)
            if item is None:
                raise Unreadable("The file is shorter than when it was read first.")
            self.read += 1
            if isinstance(item, Head):
                self.head, self.statement, self.account = item, None, None
                self.statement = session().scalar(
                    sa.select(Statement).where(Statement.import_id == self.id, Statement.place == item.place)
                )
                if self.statement is not None:
                    self.account = taking.account_of(item)
            elif isinstance(item, End):
                self.statement = self.account = None
        if self.statement is not None:
            self.statement = session().get(Statement, self.statement.id)

    def _take(self, item: Item) -> None:
        if isinstance(item, Entry):
            self._entry(item)
        elif isinstance(item, Head):
            self._begin(item)
        elif isinstance(item, End):
            self._end(item)
        else:
            self._refused.append(item)

    # --- statements ------------------------------------------------------------------------------------------------

    def _begin(self, head: Head) -> None:
        self.head, self.statement, self.account, self._odd = head, None, None, []
        try:
            account = self._account(head)
        except NotTaken as reason:
            self._refused.append(Refused(f"statement {head.place}", str(reason), head.bank_id))
            return
        self.account = account
        day = head.last_day or head.first_day or head.created_on or clock.calendar().today()
        self.statement = Statement(
            id=new_id(),
            import_id=self.id,
            place=head.place,
            bank_account_id=account.id,
            currency=account.currency,
            kind=head.kind,
            bank_id=head.bank_id,
            sequence=head.sequence,
            page=head.page,
            key="",
            first_day=head.first_day,
            last_day=day,
            booked_minor=0,
            entries=0,
            remarks=[],
            standing=False,
            created_at=clock.now(),
        )
        session().add(self.statement)
        session().flush()

    def _account(self, head: Head) -> BankAccountView:
        asked = (head.account, head.currency, head.likely_currency)
        if asked not in self._known:
            try:
                self._known[asked] = taking.account_of(head)
            except NotTaken as reason:
                self._known[asked] = str(reason)
        found = self._known[asked]
        if isinstance(found, str):
            raise NotTaken(found)
        return found

    def _end(self, end: End) -> None:
        row, head, account = self.statement, self.head, self.account
        self.statement = self.account = None
        if row is None or head is None or account is None:
            return
        self._flush()
        told = taking.balances(end.balances, account.currency)
        table = StatementEntry
        count, booked, first, last = (
            session()
            .execute(
                sa.select(
                    sa.func.count(),
                    sa.func.coalesce(sa.func.sum(table.amount_minor).filter(table.status == "booked"), 0),
                    sa.func.min(table.booking_date).filter(table.status == "booked"),
                    sa.func.max(table.booking_date).filter(table.status == "booked"),
                ).where(table.statement_id == row.id)
            )
            .one()
        )
        if abs(booked) > MOST_MINOR:
            raise Unreadable(f"The entries of statement {head.place} add up to more than any account holds.")
        row.entries, row.booked_minor = count, int(booked)
        row.opening_minor, row.closing_minor = told.opening_minor, told.closing_minor
        # a period that ends before what was booked in it is none
        ends = [each for each in (head.last_day, last) if each is not None]
        row.last_day = told.closing_on or max(ends, default=None) or head.first_day or head.created_on or row.last_day
        row.first_day = _first_day(head, first, row.last_day)
        row.tie_out = _tie_out(row).value
        row.key = _key(row)
        row.remarks = _remarks(row.remarks, self._odd, self._unexpected(account), end.remarks, told.remarks)
        session().flush()
        session().execute(
            sa.update(StatementImport)
            .where(StatementImport.id == self.id)
            .values(statements=StatementImport.statements + 1)
            .execution_options(synchronize_session=False)
        )

    def _unexpected(self, account: BankAccountView) -> list[str]:
        expected = account.statement_format
        if expected is None or (self.format or "").startswith(_FAMILIES[expected]):
            return []
        return [f"The register expects {expected} of this account, this is {self.format}."]

    # --- entries ---------------------------------------------------------------------------------------------------

    def _entry(self, entry: Entry) -> None:
        row, account = self.statement, self.account
        if row is None or account is None:
            # its statement was refused, and says why
            return
        try:
            taken = taking.take(entry, account.currency)
        except NotTaken as reason:
            self._refused.append(Refused(entry.where, str(reason), entry.bank_reference))
            return
        if taken.odd and taken.odd not in self._odd:
            self._odd.append(taken.odd)
        self._rows(entry, taken, row.id, account)

    def _rows(self, entry: Entry, taken: Taken, statement_id: UUID, account: BankAccountView) -> None:
        entry_id, *line_ids = new_ids(1 + len(taken.lines))
        self._entries.append((
            entry_id, statement_id, account.id, entry.number, account.currency, taken.amount_minor, entry.status,
            entry.reversal, taken.booking_date, entry.value_date, f"{taken.fingerprint.hex}#0", taken.fingerprint,
            entry.certain, entry.bank_reference, entry.batch_reference, entry.code, entry.text,
        ))  # fmt: skip
        for line_id, line in zip(line_ids, taken.lines, strict=True):
            detail = line.detail
            references = [entry.bank_reference, *(detail.references if detail else ())]
            self._lines.append((
                line_id, entry_id, account.id, line.position, line.currency, line.amount_minor, taken.booking_date,
                entry.value_date, detail.end_to_end_id if detail else None,
                (detail.provider_reference if detail else None) or entry.bank_reference,
                entry.batch_reference or (detail.batch_reference if detail else None),
                list(dict.fromkeys(each for each in references if each)),
                detail.counterparty if detail else None, detail.counterparty_account if detail else None,
                (detail.remittance if detail else None) or entry.text,
            ))  # fmt: skip

    def _flush(self) -> None:
        entries, self._entries = self._entries, []
        lines, self._lines = self._lines, []
        if not entries:
            return
        session().flush()
        _copy(StatementEntry.__tablename__, _ENTRY, entries)
        _copy(StatementLine.__tablename__, _LINE, lines)
        session().execute(
            sa.update(StatementImport)
            .where(StatementImport.id == self.id)
            .values(entries=StatementImport.entries + len(entries))
            .execution_options(synchronize_session=False)
        )

    def _write(self, row: StatementImport) -> None:
        self._flush()
        if self.statement is not None and self._odd:
            # a reader that goes on here does not see those entries again
            self.statement.remarks = _remarks(self.statement.remarks, self._odd)
        refused, self._refused = self._refused, []
        session().refresh(row)
        if refused:
            kept = list(row.failures.get("rows", []))
            kept += [
                {"where": one.where, "reason": one.reason, "reference": one.reference}
                for one in refused[: max(0, MOST_REFUSED - len(kept))]
            ]
            row.failures = {"rows": kept}
            row.refused += len(refused)


def _remarks(*groups: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(each for group in groups for each in group))[:MOST_REMARKS]


def _copy(table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """COPY within the session's own transaction."""
    driver: Any = session().connection().connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _first_day(head: Head, first: date | None, last: date) -> date:
    """As it says, else that of its first entry: banks date an opening balance by either day."""
    if head.first_day is not None and head.first_day <= last:
        return head.first_day
    return last if first is None else min(first, last)


def _tie_out(row: Statement) -> TieOut:
    if row.opening_minor is None or row.closing_minor is None or row.kind != StatementKind.STATEMENT:
        return TieOut.UNKNOWN
    return TieOut.PASSED if row.opening_minor + row.booked_minor == row.closing_minor else TieOut.FAILED


def _key(row: Statement) -> str:
    """What tells the same statement again. Its number or the bank's id alone repeat from year to year; where both
    balances are known, a new id is a new telling of the same."""
    known = row.opening_minor is not None and row.closing_minor is not None
    bank_id = None if known else row.bank_id
    said = (row.kind, bank_id, row.sequence, row.page, row.first_day, row.last_day, row.opening_minor,
            row.closing_minor)  # fmt: skip
    return hashlib.sha256("\x1f".join(str(each) for each in said).encode()).hexdigest()[:40]
