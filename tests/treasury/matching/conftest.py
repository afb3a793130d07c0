"""A bank account with its ledger and its statements, small enough to say in a test what is on each side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.database import new_id, session, transaction
from dashboard.ledger.models import Account
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, days, payments, snapshots
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.treasury.matching import references
from dashboard.treasury.matching.models import MatchRun, ReconBreak, ReconMatch
from dashboard.treasury.matching.services import runs
from dashboard.treasury.statements.models import Statement, StatementEntry, StatementImport, StatementLine
from tests.conftest import People


@dataclass
class Told:
    """A line as a bank tells it. Amounts in minor units, positive came in."""

    amount: int
    ref: str | None = None
    e2e: str | None = None
    batch: str | None = None
    text: str | None = None
    party: str | None = None
    account: str | None = None
    booked: date | None = None
    code: str | None = None
    refs: tuple[str, ...] = ()


class Desk:
    """`ledger` posts on the open day, `file` imports a statement, `close` ends the day, `run` matches as of it."""

    def __init__(self, currency: str = "eur") -> None:
        self.currency = currency
        with transaction():
            bank = accounts.register_bank_account(
                provider="bank-test", name="Bank Test", number=f"TEST{uuid4().hex[:12].upper()}", currency=currency,
                by=system(),
            )  # fmt: skip
            session().execute(
                sa.text("CREATE TEMP TABLE IF NOT EXISTS told_reference (payment_id uuid, reference text)")
            )
        self.bank_id: UUID = bank.id
        self.settlement = self._account(AccountType.SETTLEMENT)
        self.suspense = self._account(AccountType.SUSPENSE)
        self.day = days.open_day().day
        self.files = 0
        self.closing = 0

    def _account(self, type: AccountType) -> UUID:
        return session().scalars(
            sa.select(Account.id).where(Account.bank_account_id == self.bank_id, Account.type == type.value)
        ).one()  # fmt: skip

    def ledger(self, amount: int, ref: str | None = None, *, counter: UUID | None = None) -> UUID:
        """Post money that came in (or left, below zero); gives the transaction."""
        other = counter or self.suspense
        debtor, creditor = (self.settlement, other) if amount > 0 else (other, self.settlement)
        order = Order(ParentType.ADJUSTING_PAYMENT, uuid4(), [Leg(debtor, creditor, abs(amount), self.currency)])
        with transaction():
            payments.pay(order, by=system())
            if ref:
                session().execute(
                    sa.text("INSERT INTO told_reference VALUES (:id, :ref)"), {"id": order.id, "ref": ref}
                )
        return order.legs[0].id

    def file(self, *lines: Told, day: date | None = None, closing: int | None = None) -> list[UUID]:
        """Import one statement of the open day; gives its lines in the order told."""
        self.files += 1
        on = day or self.day
        opening = self.closing
        self.closing += sum(line.amount for line in lines)
        ids = [new_id() for _ in lines]
        with transaction() as current:
            file = StatementImport(
                id=new_id(), file_name="test.xml", sha256=uuid4().hex, size=1, format="camt.053", source="page",
                state="preview", created_at=clock.now(), created_by_kind="system", created_by="test",
            )  # fmt: skip
            current.add(file)
            current.flush()
            statement = Statement(
                id=new_id(), import_id=file.id, bank_account_id=self.bank_id, currency=self.currency,
                kind="statement", key=uuid4().hex, first_day=on, last_day=on, opening_minor=opening,
                closing_minor=self.closing if closing is None else closing, created_at=clock.now(), tie_out="passed",
                continuity="passed",
            )  # fmt: skip
            current.add(statement)
            current.flush()
            for number, (line_id, line) in enumerate(zip(ids, lines, strict=True), start=1):
                entry = StatementEntry(
                    id=new_id(), statement_id=statement.id, bank_account_id=self.bank_id, number=number,
                    currency=self.currency, amount_minor=line.amount, status="booked",
                    booking_date=line.booked or on, value_date=line.booked or on, key=uuid4().hex,
                    fingerprint=uuid4(), text=line.code,
                )  # fmt: skip
                current.add(entry)
                current.flush()
                current.add(
                    StatementLine(
                        id=line_id,
                        entry_id=entry.id,
                        bank_account_id=self.bank_id,
                        position=0,
                        currency=self.currency,
                        amount_minor=line.amount,
                        booking_date=line.booked or on,
                        value_date=line.booked or on,
                        end_to_end_id=line.e2e,
                        provider_reference=line.ref,
                        batch_reference=line.batch,
                        bank_references=list(line.refs),
                        counterparty=line.party,
                        counterparty_account=line.account,
                        remittance=line.text,
                    )  # fmt: skip
                )
                current.flush()
            file.state = "importing"
            current.flush()
            statement.standing = True
            current.flush()
            for table in (StatementEntry, StatementLine):
                column = "standing" if table is StatementEntry else "matchable"
                key = (
                    StatementEntry.statement_id == statement.id
                    if table is StatementEntry
                    else StatementLine.id.in_(ids)
                )
                current.execute(
                    sa.update(table).where(key).values({column: True}).execution_options(synchronize_session=False)
                )
            file.state = "imported"
            current.flush()
        return ids

    def close(self) -> date:
        """End the open day; gives it."""
        snapshots.end_of_day(self.day, by=system())
        ended, self.day = self.day, days.open_day().day
        return ended

    def run(self, day: date, *, dry: bool = False) -> MatchRun:
        """A run as of the end of a day that has ended, here and now."""
        with transaction():
            asked = runs.ask(self.bank_id, day, dry=dry, by=system())
        with transaction():
            runs.perform(asked.id, by=system())
        found = session().get(MatchRun, asked.id, populate_existing=True)
        assert found is not None
        return found

    def breaks(self, state: str | None = None) -> list[ReconBreak]:
        query = sa.select(ReconBreak).where(ReconBreak.bank_account_id == self.bank_id).order_by(ReconBreak.id)
        if state:
            query = query.where(ReconBreak.state == state)
        return list(session().scalars(query.execution_options(populate_existing=True)))

    def matches(self, state: str = "live") -> list[ReconMatch]:
        return list(
            session().scalars(
                sa.select(ReconMatch)
                .where(ReconMatch.bank_account_id == self.bank_id, ReconMatch.state == state)
                .order_by(ReconMatch.id)
                .execution_options(populate_existing=True)
            )
        )

    def open_items(self) -> set[tuple[str, UUID, int]]:
        rows = session().execute(
            sa.text("SELECT side, item_id, amount_minor FROM open_item WHERE bank_account_id = :bank"),
            {"bank": self.bank_id},
        )
        return {(side, item, int(amount)) for side, item, amount in rows}

    def kinds(self) -> Sequence[tuple[str, int]]:
        """Unresolved breaks: kind and difference."""
        return sorted((one.kind, one.difference_minor) for one in self.breaks() if one.state != "resolved")


@pytest.fixture
def desk(app: Flask) -> Any:
    references.learn("told", "SELECT payment_id, reference FROM told_reference")
    yield Desk()
    references._known.pop("told")


@pytest.fixture
def treasurer(people: People) -> Actor:
    return people.actor(Role.TREASURER)


@pytest.fixture
def senior(people: People) -> Actor:
    return people.actor(Role.SENIOR_TREASURER)
