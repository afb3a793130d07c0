"""A small house with books and bank statements, to compute positions of by hand. Amounts are minor units."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.database import new_id, session, transaction
from dashboard.ledger.models import LedgerTransaction
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, days, payments, snapshots
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.treasury.matching.models import MatchPlace, MatchRun
from dashboard.treasury.positions.queries import figures as figure_queries
from dashboard.treasury.positions.queries.figures import Figures
from dashboard.treasury.positions.services import working_out
from dashboard.treasury.register.models import AccountPool
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.statements.models import Statement, StatementEntry, StatementImport, StatementLine
from tests.conftest import People
from tests.treasury.approving import install, registered


class House:
    """Bank accounts, clients, statements and matches, one word each."""

    def __init__(self, people: People) -> None:
        self.people = people
        # here before anything is refused: what is taken back would take them along
        for role in (Role.TREASURER, Role.SENIOR_TREASURER):
            people.actor(role)
        self._imports = 0
        self._lines = 0

    # people

    @property
    def treasurer(self) -> Actor:
        return self.people.actor(Role.TREASURER)

    @property
    def senior(self) -> Actor:
        return self.people.actor(Role.SENIOR_TREASURER)

    # books

    def bank(self, purpose: str = "safeguarding", **options: Any) -> BankAccountView:
        return registered(purpose, **options)

    def client(self, currency: str = "eur", *, pool: str | None = None, limit: int = 0) -> UUID:
        """A client account without money, of e-money unless another pool is named."""
        owner = new_id()
        with transaction():
            accounts.register_owner(owner)
            opened = accounts.open_account(
                type=AccountType.CLIENT, currency=currency, owner_id=owner, overdraft_limit_minor=limit, by=system()
            )
        if pool is not None:
            self.put_into(opened.id, pool)
        return opened.id

    def put_into(self, account_id: UUID, pool: str) -> None:
        install()
        with transaction():
            session().add(AccountPool(account_id=account_id, pool=pool, since=clock.now()))

    def system_account(self, type: AccountType, currency: str = "eur") -> UUID:
        with transaction():
            return accounts.open_account(type=type, currency=currency, by=system()).id

    def move(
        self, debtor: UUID, creditor: UUID, amount: int, currency: str = "eur", *,
        parent: ParentType = ParentType.TRANSFER,
    ) -> UUID:  # fmt: skip
        """Posts at once; gives the ledger transaction."""
        order = Order(parent, new_id(), [Leg(debtor, creditor, amount, currency)])
        with transaction():
            payments.pay(order, by=system())
        return self.transaction_of(order.id)

    def transaction_of(self, payment_id: UUID) -> UUID:
        found = session().scalar(sa.select(LedgerTransaction.id).where(LedgerTransaction.payment_id == payment_id))
        assert found is not None
        return found

    def receive(self, bank: BankAccountView, client: UUID, amount: int) -> UUID:
        assert bank.settlement_account_id
        return self.move(bank.settlement_account_id, client, amount, bank.currency)

    def send(self, client: UUID, bank: BankAccountView, amount: int) -> UUID:
        assert bank.settlement_account_id
        return self.move(client, bank.settlement_account_id, amount, bank.currency)

    def hold(self, client: UUID, bank: BankAccountView, amount: int) -> UUID:
        """A withdrawal that is pending; gives the payment."""
        assert bank.settlement_account_id
        order = Order(
            ParentType.TRANSFER, new_id(), [Leg(client, bank.settlement_account_id, amount, bank.currency)]
        )  # fmt: skip
        with transaction():
            payments.draft(order, by=system())
            payments.pend(order.id, by=system())
        return order.id

    def unrecognized(self, bank: BankAccountView, amount: int) -> UUID:
        assert bank.settlement_account_id and bank.suspense_account_id
        return self.move(bank.settlement_account_id, bank.suspense_account_id, amount, bank.currency)

    def today(self) -> date:
        return days.open_day().day

    def end_day(self) -> date:
        """End the open day; gives it."""
        day = self.today()
        snapshots.end_of_day(day, by=system())
        return day

    # banks

    def statement(
        self, bank: BankAccountView, day: date, opening: int, amounts: Sequence[int], *, tie_out: str = "passed"
    ) -> list[UUID]:
        """A standing statement of the day; gives its lines. It closes with the sum."""
        self._imports += 1
        moment = clock.now()
        with transaction() as current:
            imported = StatementImport(
                id=new_id(), file_name=f"test-{self._imports}.xml", sha256=new_id().hex * 2, size=1, format="camt.053",
                source="page", state="preview", created_at=moment, created_by_kind="system", created_by="test",
            )  # fmt: skip
            current.add(imported)
            current.flush()
            statement = Statement(
                id=new_id(), import_id=imported.id, bank_account_id=bank.id, currency=bank.currency, kind="statement",
                key=f"test-{self._imports}", first_day=day, last_day=day, opening_minor=opening,
                closing_minor=opening + sum(amounts), booked_minor=sum(amounts), entries=len(amounts),
                tie_out=tie_out, continuity="first", standing=False, created_at=moment,
            )  # fmt: skip
            current.add(statement)
            current.flush()
            lines = []
            for number, amount in enumerate(amounts, start=1):
                self._lines += 1
                entry = StatementEntry(
                    id=new_id(), statement_id=statement.id, bank_account_id=bank.id, number=number,
                    currency=bank.currency, amount_minor=amount, status="booked", booking_date=day, value_date=day,
                    key=f"test-{self._lines}", fingerprint=new_id(), standing=False,
                )  # fmt: skip
                current.add(entry)
                current.flush()
                line = StatementLine(
                    id=new_id(), entry_id=entry.id, bank_account_id=bank.id, position=0, currency=bank.currency,
                    amount_minor=amount, booking_date=day, value_date=day, end_to_end_id=f"E2E-{self._lines}",
                    counterparty="Jonas Petrauskas", matchable=False,
                )  # fmt: skip
                current.add(line)
                current.flush()
                lines.append(line.id)
            current.flush()
            imported.state, imported.finished_at = "imported", moment
            current.flush()
            for table, column in (("statement", "standing"), ("statement_entry", "standing")):
                owner = "import_id = :id" if table == "statement" else "statement_id = :statement"
                current.execute(
                    sa.text(f"UPDATE {table} SET {column} = true WHERE {owner}"),
                    {"id": imported.id} if table == "statement" else {"statement": statement.id},
                )
            current.execute(sa.text("UPDATE statement_line SET matchable = true WHERE id = ANY (:ids)"), {"ids": lines})
        return lines

    def match(self, bank: BankAccountView, line: UUID, transaction_id: UUID) -> None:
        """One line with one ledger row of the same amount."""
        assert bank.settlement_account_id
        match_id = new_id()
        with transaction() as current:
            current.execute(
                sa.text(
                    "WITH b AS (SELECT amount_minor, booking_date FROM statement_line WHERE id = :line),"
                    " t AS (SELECT CASE WHEN debtor_account_id = :account THEN amount_minor ELSE -amount_minor END"
                    "  AS amount_minor, booking_date FROM ledger_transaction WHERE id = :transaction),"
                    " m AS (INSERT INTO recon_match (id, bank_account_id, currency, state, found_by, why, amount_minor,"
                    "  lines, transactions, first_on, last_on, made_at, made_by_kind, made_by)"
                    "  SELECT :id, :bank, :currency, 'proposed', 'hand', 'test', b.amount_minor, 1, 1,"
                    "  least(b.booking_date, t.booking_date), greatest(b.booking_date, t.booking_date), :at, 'system',"
                    "  'test' FROM b, t),"
                    " l AS (INSERT INTO match_line (match_id, position, line_id, amount_minor, booking_date, live)"
                    "  SELECT :id, 1, :line, amount_minor, booking_date, false FROM b)"
                    " INSERT INTO match_transaction (match_id, position, transaction_id, account_id, amount_minor,"
                    "  booking_date, live) SELECT :id, 1, :transaction, :account, amount_minor, booking_date, false"
                    "  FROM t"
                ),
                {"id": match_id, "bank": bank.id, "currency": bank.currency, "line": line, "at": clock.now(),
                 "transaction": transaction_id, "account": bank.settlement_account_id},
            )  # fmt: skip
            current.execute(
                sa.text(
                    "UPDATE recon_match SET state = 'live', decided_at = :at, decided_by_id = :by, decided_by = 'test'"
                    " WHERE id = :id"
                ),
                {"id": match_id, "at": clock.now(), "by": self.treasurer.id},
            )

    def sweep(self, bank: BankAccountView, day: date) -> None:
        """What a run leaves behind that matched nothing: ledger rows up to the day are open, unless matched."""
        assert bank.settlement_account_id
        moment = clock.now()
        with transaction() as current:
            current.execute(
                sa.text(
                    "INSERT INTO open_item (bank_account_id, side, item_id, amount_minor, booking_date)"
                    " SELECT :bank, 'ledger', t.id, CASE WHEN t.debtor_account_id = :account THEN t.amount_minor"
                    " ELSE -t.amount_minor END, t.booking_date FROM ledger_transaction t"
                    " WHERE (t.debtor_account_id = :account OR t.creditor_account_id = :account)"
                    " AND t.state = 'posted' AND t.booking_date <= :day AND NOT EXISTS (SELECT 1"
                    " FROM match_transaction m WHERE m.transaction_id = t.id AND m.account_id = :account AND m.live)"
                    " ON CONFLICT DO NOTHING"
                ),
                {"bank": bank.id, "account": bank.settlement_account_id, "day": day},
            )
            place = current.get(MatchPlace, bank.id)
            if place is None:
                place = MatchPlace(bank_account_id=bank.id)
                current.add(place)
                current.flush()
            if place.swept_on is None or place.swept_on < day:
                place.swept_on = day
            current.add(
                MatchRun(
                    id=new_id(), bank_account_id=bank.id, day=day, dry=False, state="finished", rules_version=1,
                    asked_at=moment, by_kind="system", by_name="test", finished_at=moment,
                )
            )  # fmt: skip

    def covered(self, bank: BankAccountView, client: UUID, amount: int) -> date:
        """A day on which a client got so much, the bank says so too, and all of it is matched; ends it."""
        paid = self.receive(bank, client, amount)
        day = self.end_day()
        (line,) = self.statement(bank, day, 0, [amount])
        self.match(bank, line, paid)
        self.sweep(bank, day)
        return day

    # positions

    def figures(self, day: date, pool: str = "eMoney", currency: str = "eur") -> Figures:
        (found,) = figure_queries.figures(day, only=(pool, currency))
        session().commit()
        return found

    def add_up(self, day: date, currency: str = "eur") -> None:
        with transaction():
            working_out.add_up(day, currency)

    def previous(self, day: date) -> date:
        calendar = clock.calendar()
        day -= timedelta(days=1)
        while not calendar.is_business_day(day):
            day -= timedelta(days=1)
        return day


@pytest.fixture
def house(app: Flask, people: People) -> House:
    return House(people)
