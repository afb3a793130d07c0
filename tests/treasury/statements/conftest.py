"""Bank accounts of the register, and files as banks write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.database import session, transaction
from dashboard.ledger.services import accounts
from dashboard.treasury.register.models import TreasuryAccount
from dashboard.treasury.statements.models import Statement, StatementEntry, StatementImport, StatementLine
from dashboard.treasury.statements.services import importing
from dashboard.treasury.statements.services.staging import Staging
from tests.conftest import People

IBAN = "NL91ABNA0417164300"
OTHER = "DE89370400440532013000"


def bank_account(number: str = IBAN, currency: str = "eur", *, form: str = "camt", calendar: str = "LT") -> UUID:
    """A safeguarding account in the register."""
    from dashboard.access.actor import system

    with transaction():
        bank = accounts.register_bank_account(
            provider="bank-beta", name="Bank Beta", number=number, currency=currency, by=system()
        )
        session().add(
            TreasuryAccount(
                bank_account_id=bank.id, pool="eMoney", purpose="safeguarding", designated_from=date(2000, 1, 1),
                statement_format=form, expected_at=time(7, 30), calendar=calendar, version=1, changed_at=clock.now(),
            )
        )  # fmt: skip
        session().flush()
        return bank.id


@pytest.fixture
def treasurer(people: People) -> Actor:
    return people.actor(Role.TREASURER)


class Desk:
    """Brings files in as the page does, without the page."""

    def __init__(self, folder: Path, by: Actor) -> None:
        self.folder, self.by = folder, by
        self.count = 0

    def file(self, content: bytes | str, name: str = "statement.xml") -> Path:
        self.count += 1
        path = self.folder / f"{self.count}-{name}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def read(self, content: bytes | str, name: str = "statement.xml", **options: Any) -> StatementImport:
        """A preview."""
        path = self.file(content, name)
        with transaction():
            row = importing.begin(path, name=name, source="page", by=self.by, **options)
            staging = Staging(row.id, path)
            while staging.step():
                pass
            importing.read_to_the_end(row)
        return session().get_one(StatementImport, row.id, populate_existing=True)

    def take(self, content: bytes | str, name: str = "statement.xml", **options: Any) -> StatementImport:
        """Read and committed."""
        row = self.read(content, name, **options)
        with transaction():
            importing.commit(row.id, by=self.by)
        return session().get_one(StatementImport, row.id, populate_existing=True)


@pytest.fixture
def desk(app: Flask, tmp_path: Path, treasurer: Actor) -> Desk:
    return Desk(tmp_path, treasurer)


def statements() -> list[Statement]:
    """All that stand, by their days."""
    query = sa.select(Statement).where(Statement.standing).order_by(Statement.last_day, Statement.sequence)
    return list(session().scalars(query.execution_options(populate_existing=True)))


def entries() -> list[StatementEntry]:
    query = sa.select(StatementEntry).order_by(StatementEntry.booking_date, StatementEntry.number)
    return list(session().scalars(query.execution_options(populate_existing=True)))


def lines(*, matchable: bool = True) -> list[StatementLine]:
    query = sa.select(StatementLine).where(StatementLine.matchable.is_(matchable)).order_by(StatementLine.id)
    return list(session().scalars(query.execution_options(populate_existing=True)))


Made = Callable[..., str]
