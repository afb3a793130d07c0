"""The product, served as in production, with accounts that can pay and a token that may ask them to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import psycopg

from bench.orders import CURRENCY, Orders
from bench.server import Bench, production
from bench.serving import Served, served
from dashboard.access import tokens
from dashboard.access.actor import system
from dashboard.access.permissions import Audience
from dashboard.app import create_app
from dashboard.clients.calendar import calendar
from dashboard.database import db, new_id, transaction
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, days, payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.settings import Settings

ACCOUNTS = 2_000
OPENING_MINOR = 100_000_000


@dataclass(frozen=True)
class Prepared:
    """A token with the default scopes, and accounts in euro: client accounts with money, and one settlement account."""

    token: str
    token_id: UUID
    accounts: list[str]
    settlement: str

    def orders(self, *, hot: bool = False, size: int = 0) -> Orders:
        return Orders(self.token, self.accounts, self.settlement if hot else None, size)


@dataclass(frozen=True)
class Product:
    served: Served
    prepared: Prepared
    url: str

    def booked(self) -> int:
        """How many transactions are posted. Raises AssertionError where money came or went."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM ledger_transaction WHERE state = 'posted'),"
                " (SELECT sum(posted) FROM account_balance)"
            ).fetchone()
        assert row is not None
        assert not row[1], row
        return int(row[0])


@dataclass(frozen=True)
class Tables:
    """The product's schema with the same accounts, and nobody serving it."""

    prepared: Prepared
    url: str


def tables(bench: Bench, name: str) -> Tables:
    """A database of its own, of this name."""
    settings = bench.migrated(name)
    return Tables(prepare(settings), _analyzed(settings))


def _analyzed(settings: Settings) -> str:
    """The database's URL for psycopg, as the owner's role."""
    assert settings.migration_database_url is not None
    url = settings.migration_database_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")
    return url


@contextmanager
def started(bench: Bench) -> Iterator[Product]:
    """The product on a database of its own."""
    settings = bench.migrated("bench_payments")
    prepared = prepare(settings)
    url = _analyzed(settings)
    with served("wsgi:app", bench.folder, production(settings)) as web:
        yield Product(web, prepared, url)


def prepare(settings: Settings) -> Prepared:
    """In an empty database: the first business day, a token, the accounts, and money on those of clients."""
    app = create_app(settings)
    by = system("bench")
    with app.app_context():
        with transaction():
            days.open_first(calendar().today(), by=by)
            scopes = tokens.resolve_scopes(Audience.SYSTEM, [])
            made, token = tokens.create(audience=Audience.SYSTEM, scopes=scopes, name="bench")
            token_id = made.id
            settlement = accounts.open_account(type=AccountType.SETTLEMENT, currency=CURRENCY, by=by).id
            clients = [_client_account() for _ in range(ACCOUNTS)]
        with transaction():
            paid_in = [
                Order(ParentType.TRANSFER, new_id(), [Leg(settlement, client, OPENING_MINOR, CURRENCY)])
                for client in clients
            ]
            outcomes = payments.batch(paid_in, all_or_none=True, by=by).outcomes
            assert not any(outcome.code for outcome in outcomes)
        db.session.remove()
        db.engine.dispose()
    return Prepared(token, token_id, [str(client) for client in clients], str(settlement))


def _client_account() -> UUID:
    owner_id = new_id()
    accounts.register_owner(owner_id)
    opened = accounts.open_account(type=AccountType.CLIENT, currency=CURRENCY, owner_id=owner_id, by=system("bench"))
    return opened.id
