"""A house whose business day has ended, with a bank account and its statement; and ways to break what must hold."""

from __future__ import annotations

import threading
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.background import runner
from dashboard.background.models import BackgroundJob
from dashboard.database import new_id, session, transaction
from dashboard.ledger.models import Account, BankAccount
from dashboard.ledger.services import accounts, days, snapshots
from dashboard.ledger.vocabulary import AccountType
from dashboard.treasury.alerts.models import TreasuryAlert
from dashboard.treasury.checks.models import DailyCheckFinding, DailyCheckResult
from dashboard.treasury.checks.services import asking
from tests.ledger.conftest import Book

BY = system("test")
EXPECTED_AT = time(7, 30)


class House:
    """Amounts are minor units of euros. The day that is checked is a business day of the bank and of the house."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.book = Book()
        with transaction():
            self.bank: BankAccount = accounts.register_bank_account(
                provider="bank", name="Bank", number="LT947300010000000001", currency="eur", by=BY
            )
            of_bank = sa.select(Account.id, Account.type).where(Account.bank_account_id == self.bank.id)
            known = {row.type: row.id for row in session().execute(of_bank)}
        self.settlement: UUID = known[AccountType.SETTLEMENT.value]
        self.book.sources["settlement:eur"] = self.settlement
        # the first day may be a holiday; the one after it is not
        self.end_day()
        with transaction():
            self.day: date = days.open_day().day

    def end_day(self) -> date:
        """End the open day with its snapshot; gives it."""
        with transaction():
            opened = days.open_day().day
        snapshots.end_of_day(opened, by=BY)
        return opened

    # as who owns the tables, past every guard

    def as_owner(self, *statements: str | tuple[str, dict[str, Any]]) -> None:
        settings = self.app.extensions["countinghouse.settings"]
        with psycopg.connect((settings.migration_database_url or "").replace("+psycopg", "")) as owner:
            for statement in statements:
                text, values = statement if isinstance(statement, tuple) else (statement, {})
                owner.execute(text, values or None)

    def unguarded(self, table: str, text: str, **values: Any) -> None:
        """Change rows of a table with its triggers asleep."""
        self.as_owner(
            f"ALTER TABLE {table} DISABLE TRIGGER USER", (text, values), f"ALTER TABLE {table} ENABLE TRIGGER USER"
        )

    def corrupt(self, account_id: UUID, *, posted: int = 0, held: int = 0) -> None:
        self.unguarded(
            "account_balance",
            "UPDATE account_balance SET posted = posted + %(posted)s, held = held + %(held)s"
            " WHERE account_id = %(id)s AND slot = 0",
            posted=posted, held=held, id=account_id,
        )  # fmt: skip

    # bank

    def registered(self, **said: Any) -> None:
        """The bank account stands in the register, with a statement each day."""
        values = {
            "id": self.bank.id, "pool": "eMoney", "purpose": "safeguarding", "since": date(2020, 1, 1),
            "format": "camt", "at": EXPECTED_AT, "calendar": clock.calendar().country, "now": clock.now(), **said,
        }  # fmt: skip
        self.unguarded(
            "treasury_account",
            "INSERT INTO treasury_account (bank_account_id, pool, purpose, designated_from, statement_format,"
            " expected_at, calendar, changed_at) VALUES (%(id)s, %(pool)s, %(purpose)s, %(since)s, %(format)s,"
            " %(at)s, %(calendar)s, %(now)s)",
            **values,
        )

    def statement(self, closing: int | None, **said: Any) -> UUID:
        """A statement of the day that stands."""
        import_id, statement_id = new_id(), new_id()
        self.unguarded(
            "statement_import",
            "INSERT INTO statement_import (id, file_name, sha256, size, format, source, state, created_at,"
            " created_by_kind, created_by) VALUES (%(id)s, 'day.xml', %(sha)s, 1, 'camt.053', 'page', 'imported',"
            " %(now)s, 'system', 'test')",
            id=import_id, sha=import_id.hex, now=clock.now(),
        )  # fmt: skip
        values = {
            "id": statement_id, "import": import_id, "bank": self.bank.id, "day": self.day, "opening": 0,
            "closing": closing, "booked": closing or 0, "tie": "passed", "continuity": "first", "now": clock.now(),
            **said,
        }  # fmt: skip
        self.unguarded(
            "statement",
            "INSERT INTO statement (id, import_id, bank_account_id, currency, kind, key, last_day, opening_minor,"
            " closing_minor, booked_minor, tie_out, continuity, standing, created_at) VALUES (%(id)s, %(import)s,"
            " %(bank)s, 'eur', 'statement', %(id)s::text, %(day)s, %(opening)s, %(closing)s, %(booked)s, %(tie)s,"
            " %(continuity)s, true, %(now)s)",
            **values,
        )
        return statement_id

    def morning_after(self) -> datetime:
        """When the statement of the day should be here."""
        on = datetime.combine(self.day + timedelta(days=1), time(12, 0), clock.calendar().zone)
        return on.astimezone(clock.now().tzinfo)


class Run:
    """One run of the checks, with what it came to."""

    def __init__(self, house: House, *, day: date | None = None) -> None:
        with transaction():
            job = asking.ask(day=day or house.day, by=BY)
            self.id = job.id
        assert runner.run_one(house.app, threading.Event(), job_id=self.id)
        session().expire_all()
        done = session().get(BackgroundJob, self.id)
        assert done is not None and done.state == "succeeded", done and done.failure
        self.figures = dict(done.result or {})
        rows = session().scalars(sa.select(DailyCheckResult).where(DailyCheckResult.run_id == self.id)).all()
        self.results = {row.check_key: row for row in rows}
        found = session().scalars(
            sa.select(DailyCheckFinding).where(DailyCheckFinding.run_id == self.id).order_by(DailyCheckFinding.id)
        )
        self.findings: dict[str, list[DailyCheckFinding]] = {}
        for finding in found:
            self.findings.setdefault(finding.check_key, []).append(finding)
        session().commit()

    def outcomes(self, outcome: str) -> set[str]:
        return {key for key, row in self.results.items() if row.outcome == outcome}

    @property
    def failed(self) -> set[str]:
        return self.outcomes("failed")

    def one(self, check: str) -> DailyCheckFinding:
        """The only finding of a check."""
        [finding] = self.findings[check]
        return finding


def alerts(state: str = "open") -> list[TreasuryAlert]:
    """Oldest first."""
    found = session().scalars(
        sa.select(TreasuryAlert)
        .where(TreasuryAlert.state == state)
        .order_by(TreasuryAlert.id)
        .execution_options(populate_existing=True)
    ).all()  # fmt: skip
    # as they are now, whatever comes later
    session().expunge_all()
    session().commit()
    return list(found)
