"""Payments from a CSV file: streamed, resumed where it stopped, what was refused in a file beside it.

A record says what it belongs to (parentId), who pays whom (debtor, creditor: account id or number), currency and
amount, and if it likes parentType, purpose, valueDate, description. A parent has one living payment of a purpose, so a
file that was corrected and is imported again books nothing twice.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import session, transaction
from dashboard.errors import Conflict, DomainError, FieldError, Invalid
from dashboard.ledger import moving, numbers
from dashboard.ledger.models import Account, FileImport
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import orders as checking
from dashboard.ledger.services import payments
from dashboard.ledger.services.retrying import in_transaction
from dashboard.ledger.vocabulary import MAIN_PURPOSE, ParentType, PaymentState
from dashboard.money import DECIMALS, Money, NotRepresentable

CHUNK = 1_000
REQUIRED = ("parentId", "debtor", "creditor", "currency", "amount")
OPTIONAL = ("parentType", "purpose", "valueDate", "description")
LONGEST_FIELD = 10_000
_AMOUNT = re.compile(r"[0-9]{1,17}(\.[0-9]{1,4})?")
#: adjusting payments wait for a second person, whoever sits at the command line
PARENT_TYPES = {kind.value: kind for kind in ParentType if kind is not ParentType.ADJUSTING_PAYMENT}


@dataclass(frozen=True)
class Imported:
    """What one run came to. `resumed_at` is the number of records that an earlier run had done."""

    lines: int
    posted: int
    refused: int
    resumed_at: int
    errors: Path


@dataclass(frozen=True)
class _Record:
    line: int
    fields: dict[str, str]


def checksum(path: Path) -> str:
    """SHA-256 of the file in hex, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _records(path: Path) -> Iterator[_Record]:
    """Raises Invalid for a head that is not one, and text that is no UTF-8."""
    csv.field_size_limit(LONGEST_FIELD)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        head = [name.strip() for name in next(reader, [])]
        missing = [name for name in REQUIRED if name not in head]
        unknown = [name for name in head if name not in (*REQUIRED, *OPTIONAL)]
        if missing or unknown or len(set(head)) != len(head):
            said = f"missing: {', '.join(missing)}" if missing else f"unknown or twice: {', '.join(unknown or head)}"
            raise Invalid.one("file", f"The first line names the columns; {said[:200]}.", "head")
        for row in reader:
            if not row:
                continue
            fields = dict(zip(head, (value.strip() for value in row), strict=False))
            if len(row) != len(head):
                fields["_length"] = str(len(row))
            yield _Record(reader.line_num, fields)


def _account(text: str, field: str, known: dict[str, UUID]) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        pass
    found = known.get(numbers.normalized(text))
    if found is None:
        raise Invalid.one(field, "There is no such account.", "accountNotFound")
    return found


def _order(record: _Record, known: dict[str, UUID]) -> Order:
    said = record.fields
    if any("\x00" in value for value in said.values()):
        raise Invalid.one("", "Control characters are not allowed.", "value")
    if "_length" in said:
        raise Invalid.one("", "The record has another number of fields than the head.", "length")
    kind = PARENT_TYPES.get(said.get("parentType") or ParentType.TRANSFER.value)
    if kind is None:
        raise Invalid.one("parentType", f"Use one of: {', '.join(PARENT_TYPES)}.", "enum")
    currency = said["currency"].lower()
    if currency not in DECIMALS:
        raise Invalid.one("currency", "This currency is not known here.", "enum")
    try:
        if not _AMOUNT.fullmatch(said["amount"]):
            raise NotRepresentable
        amount = Money.of(Decimal(said["amount"]), currency)
    except NotRepresentable:
        raise Invalid.one("amount", f"Write a number with at most {DECIMALS[currency]} decimals.", "range") from None
    try:
        parent = UUID(said["parentId"])
    except ValueError:
        raise Invalid.one("parentId", "This must be a UUID.", "uuid") from None
    try:
        value_date = date.fromisoformat(said["valueDate"]) if said.get("valueDate") else None
    except ValueError:
        raise Invalid.one("valueDate", "This must be a date such as 2019-08-24.", "date") from None
    order = Order(
        parent_type=kind,
        parent_id=parent,
        purpose=said.get("purpose") or MAIN_PURPOSE,
        value_date=value_date,
        legs=(
            Leg(
                _account(said["debtor"], "debtor", known),
                _account(said["creditor"], "creditor", known),
                amount.minor_units,
                currency,
                said.get("description") or None,
            ),
        ),
    )
    checking.refuse_reserved(order)
    payments.check_order(order, may_adjust=False)
    return order


def _known(records: Sequence[_Record]) -> dict[str, UUID]:
    """Account numbers of a chunk to ids, in one query."""
    said = {numbers.normalized(record.fields.get(name, "")) for record in records for name in ("debtor", "creditor")}
    wanted = [number for number in said if 0 < len(number) < 36 and number.isalnum()]
    rows = session().execute(sa.select(Account.number, Account.id).where(Account.number.in_(wanted)))
    return {number: account_id for number, account_id in rows}  # noqa: C416 rows, not pairs


def _reasons(line: int, error: DomainError) -> list[tuple[int, str, str, str]]:
    if isinstance(error, Invalid):
        return [(line, found.field, found.rule, found.message) for found in error.errors]
    return [(line, "", error.code, error.message)]


class _Refusals:
    """The file of refusals. It is on the disk before the chunk is committed; what a killed run wrote for a chunk that
    was not committed is cut off again."""

    def __init__(self, path: Path, keep: int) -> None:
        self.path = path
        kept = []
        if keep and path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                seen: list[str] = []
                for row in list(csv.reader(file))[1:]:
                    if row and row[0] not in seen:
                        seen.append(row[0])
                    if len(seen) > keep:
                        break
                    kept.append(row)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["line", "field", "rule", "message"])
            writer.writerows(kept)

    def add(self, reasons: list[tuple[int, str, str, str]]) -> None:
        if reasons:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(reasons)


def _chunk(records: Sequence[_Record], refusals: _Refusals, *, by: Actor) -> tuple[int, int]:
    """Post a chunk within the current transaction; gives posted and refused."""
    known = _known(records)
    orders, lines, reasons = [], [], []
    refused = 0
    for record in records:
        try:
            orders.append(_order(record, known))
            lines.append(record.line)
        except DomainError as error:
            refused += 1
            reasons += _reasons(record.line, error)
    if orders:
        moved = moving.create(orders, PaymentState.POSTED, by=by)
        for line, order, outcome in zip(lines, orders, moved.outcomes, strict=True):
            if outcome.code:
                refused += 1
                reasons += _reasons(line, checking.refusal(outcome, order))
    refusals.add(sorted(reasons))
    return len(records) - refused, refused


def import_file(path: Path, *, by: Actor, progress: Callable[[int, int, int], None] | None = None) -> Imported:
    """Post every record of the file that can be posted, a thousand to a transaction.

    Each transaction also says how far it came: killed at any moment, the next run goes on there. `progress` gets
    records done, posted, refused. Raises Invalid for a file that is no such CSV, Conflict for one that is done.
    """
    if not path.is_file():
        raise Invalid([FieldError("file", "There is no such file.", "required")])
    sha256 = checksum(path)
    errors = path.with_name(path.name + ".errors.csv")
    with transaction():
        session().execute(
            sa.dialects.postgresql.insert(FileImport)
            .values(sha256=sha256, file_name=path.name[:200], started_at=clock.now())
            .on_conflict_do_nothing()
        )
        standing = session().scalars(sa.select(FileImport).where(FileImport.sha256 == sha256).with_for_update()).one()
        if standing.finished_at is not None:
            raise Conflict(
                f"This file is imported already: {standing.posted} posted, {standing.refused} refused.",
                code="fileImported",
            )
        done, posted, refused = standing.lines, standing.posted, standing.refused
    resumed_at = done
    try:
        records = _records(path)
        for _ in range(done):
            next(records)
        refusals = _Refusals(errors, refused)
        ended = False
        while not ended:
            chunk: list[_Record] = []
            for record in records:
                chunk.append(record)
                if len(chunk) == CHUNK:
                    break
            ended = len(chunk) < CHUNK

            def step(chunk: list[_Record] = chunk, ended: bool = ended, before: int = done) -> tuple[int, int]:
                row = (
                    session()
                    .scalars(
                        sa.select(FileImport)
                        .where(FileImport.sha256 == sha256)
                        .with_for_update()
                        .execution_options(populate_existing=True)
                    )
                    .one()
                )
                if row.lines != before or row.finished_at is not None:
                    raise Conflict("Another run imports this file at this moment.", code="importRunning")
                new = _chunk(chunk, refusals, by=by) if chunk else (0, 0)
                row.lines += len(chunk)
                row.posted += new[0]
                row.refused += new[1]
                if ended:
                    row.finished_at = clock.now()
                    audit.record("payments.imported", by=by, object_type="ledger_file_import", object_id=None,
                                 after={"file": sha256, "posted": row.posted, "refused": row.refused})  # fmt: skip
                session().flush()
                return new

            new = in_transaction(step)
            done, posted, refused = done + len(chunk), posted + new[0], refused + new[1]
            session().expire_all()
            if progress:
                progress(done, posted, refused)
    except UnicodeDecodeError:
        raise Invalid.one("file", "The file is not UTF-8.", "encoding") from None
    except csv.Error as error:
        raise Invalid.one("file", f"The file is no CSV: {error}.", "csv") from None
    if not refused:
        errors.unlink(missing_ok=True)
    return Imported(done, posted, refused, resumed_at, errors)
