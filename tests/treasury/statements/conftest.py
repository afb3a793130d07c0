"""Bank accounts of the register, and files as banks write them."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.database import session, transaction
from dashboard.ledger.services import accounts
from dashboard.staff import services as staff
from dashboard.staff.models import StaffMember
from dashboard.treasury.register.services import changing
from dashboard.treasury.register.services.entries import Entry
from dashboard.treasury.statements.models import Statement, StatementEntry, StatementImport, StatementLine
from dashboard.treasury.statements.services import importing
from dashboard.treasury.statements.services.staging import Staging
from tests.conftest import People

IBAN = "NL91ABNA0417164300"
OTHER = "DE89370400440532013000"


def _member(role: Role) -> Actor:
    email = f"{role.value}@register.example"
    known = session().scalar(sa.select(StaffMember).where(StaffMember.email == email))
    if known is None:
        known = staff.create_member(
            email=email, role=role, password="correct-horse-battery", name=role.value, by=system()
        )
    return staff.actor_of(known)


def bank_account(
    number: str = IBAN, currency: str = "eur", *, form: str = "camt", calendar: str = "LT", pool: str = "eMoney"
) -> UUID:
    """A safeguarding account in the register, as two people put it there."""
    entry = Entry(pool, "safeguarding", date(2000, 1, 1), None, form, time(7, 30), calendar, None)
    with transaction():
        bank = accounts.register_bank_account(
            provider="bank-beta", name="Bank Beta", number=number, currency=currency, by=system()
        )
        asked = changing.ask_to_change(bank.id, entry=entry, reason="a test", by=_member(Role.TREASURER))
        approvals.decide(asked.id, approve=True, reason=None, by=_member(Role.SENIOR_TREASURER))
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
