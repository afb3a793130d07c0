"""How the CSV files of a bank account are read. A change makes a new version; what was imported keeps its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.database import constraint_of, new_id, savepoint, session
from dashboard.errors import Conflict
from dashboard.treasury.register import queries as register
from dashboard.treasury.statements.models import CsvMapping
from dashboard.treasury.statements.reading.csv_rows import Rules


def current(bank_account_id: UUID) -> CsvMapping | None:
    """The newest version."""
    return session().scalar(
        sa.select(CsvMapping)
        .where(CsvMapping.bank_account_id == bank_account_id)
        .order_by(CsvMapping.version.desc())
        .limit(1)
    )


def versions(bank_account_id: UUID) -> Sequence[CsvMapping]:
    """Newest first."""
    return (
        session()
        .scalars(
            sa.select(CsvMapping)
            .where(CsvMapping.bank_account_id == bank_account_id)
            .order_by(CsvMapping.version.desc())
        )
        .all()
    )


def mapped() -> set[UUID]:
    """Bank accounts that have a mapping."""
    return set(session().scalars(sa.select(CsvMapping.bank_account_id).distinct()))


def save(bank_account_id: UUID, document: Mapping[str, Any], *, by: Actor) -> CsvMapping:
    """A new version; the newest one where nothing changed.

    Raises NotFound, Invalid, Conflict `mappingChanged`, Forbidden.
    """
    by.require(Permission.TREASURY_WRITE)
    account = register.account(bank_account_id)
    rules = Rules.of(document)
    newest = current(bank_account_id)
    if newest is not None and newest.rules == rules.document():
        return newest
    row = CsvMapping(
        id=new_id(), bank_account_id=account.id, version=(newest.version if newest else 0) + 1,
        rules=rules.document(), created_at=clock.now(), created_by=by.name,
    )  # fmt: skip
    try:
        with savepoint():
            session().add(row)
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "uq_csv_mapping_version":
            raise
        raise Conflict(
            "Somebody saved another version at this moment. Look at it, then save again.", code="mappingChanged"
        ) from None
    audit.record(
        "csv_mapping.saved", by=by, object_type="csv_mapping", object_id=row.id,
        before=newest.rules if newest else None, after=row.rules,
    )  # fmt: skip
    return row
