"""A house that has clients and blocks before it has a ledger: the upgrade freezes what the blocks mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from flask import Flask

from dashboard import migrate
from dashboard.access.actor import system
from dashboard.app import create_app
from dashboard.clients.services.freeze import apply_freeze
from dashboard.database import db, session, transaction
from dashboard.errors import Refused
from dashboard.ledger.models import AccountBalance, AccountOwner
from dashboard.ledger.services import accounts, days
from dashboard.ledger.vocabulary import AccountType
from dashboard.settings import ROOT, Settings
from tests.conftest import Databases

NAME = "countinghouse_before_ledger"
MOMENT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

#: name of the client: (status, status before the block, its blocks as (scope, amount, currency, lifted))
CLIENTS: dict[str, tuple[str, str | None, list[tuple[str, int | None, str | None, bool]]]] = {
    "free": ("active", None, []),
    "new": ("inactive", None, []),
    "all": ("blocked", "active", [("all", None, None, False)]),
    "debit": ("blocked", "active", [("debit", None, None, False)]),
    "credit": ("blocked", "inactive", [("credit", None, None, False)]),
    "both sides": ("blocked", "active", [("debit", None, None, False), ("credit", None, None, False)]),
    "amount": ("blocked", "active", [("amount", 5_000, "eur", False)]),
    "amounts": (
        "blocked", "active",
        [("amount", 5_000, "eur", False), ("amount", 70, "eur", False), ("amount", 900, "usd", False)],
    ),
    "amount and debit": ("blocked", "active", [("amount", 100, "gbp", False), ("debit", None, None, False)]),
    "lifted": ("active", None, [("all", None, None, True), ("amount", 800, "eur", True)]),
    "partly lifted": ("blocked", "active", [("all", None, None, True), ("credit", None, None, False)]),
    "closed": ("closed", None, []),
    "closed and blocked": ("blocked", "closed", [("all", None, None, False)]),
}  # fmt: skip

#: debits frozen, credits frozen, amounts that must stay, closed
EXPECTED: dict[str, tuple[bool, bool, dict[str, int], bool]] = {
    "free": (False, False, {}, False),
    "new": (False, False, {}, False),
    "all": (True, True, {}, False),
    "debit": (True, False, {}, False),
    "credit": (False, True, {}, False),
    "both sides": (True, True, {}, False),
    "amount": (False, False, {"eur": 5_000}, False),
    "amounts": (False, False, {"eur": 5_070, "usd": 900}, False),
    "amount and debit": (True, False, {"gbp": 100}, False),
    "lifted": (False, False, {}, False),
    "partly lifted": (False, True, {}, False),
    "closed": (False, False, {}, True),
    "closed and blocked": (True, True, {}, True),
}


def _insert(connection: psycopg.Connection[Any], table: str, **values: Any) -> None:
    columns, places = ", ".join(values), ", ".join(["%s"] * len(values))
    connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})".encode(), list(values.values()))


def _people(connection: psycopg.Connection[Any]) -> dict[str, UUID]:
    ids = {}
    for name, (status, before, blocks) in CLIENTS.items():
        ids[name] = client_id = uuid4()
        _insert(
            connection, "client", id=client_id, type="individual", status=status, status_before_block=before,
            risk_level=1, name=name, name_key=name, search_text=name, is_default_compliant=True, open_flags=0,
            worst_flag=0, version=1, created_at=MOMENT, updated_at=MOMENT,
        )  # fmt: skip
        for scope, amount, currency, lifted in blocks:
            token = uuid4()
            lifting = {"lifted_at": MOMENT, "lifted_by_kind": "token", "lifted_by_id": token, "lifted_by_name": "app"}
            _insert(
                connection, "client_block", id=uuid4(), client_id=client_id, scope=scope, amount_minor=amount,
                currency=currency, code="FRAUD", started_at=MOMENT, review_date=MOMENT.date(),
                placed_by_kind="token", placed_by_id=token, placed_by_name="app", **(lifting if lifted else {}),
            )  # fmt: skip
    return ids


@pytest.fixture(scope="module")
def upgraded(databases: Databases, configured: Settings) -> Iterator[tuple[Flask, dict[str, UUID]]]:
    """The application on a database that was at revision 0001 when it got its clients."""
    databases.drop(NAME)
    owner = sa.make_url(databases.owner_url(NAME)).username
    databases.execute(f'CREATE DATABASE {NAME} OWNER "{owner}"')
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = databases.owner_url(NAME)
    command.upgrade(config, "0001")
    with psycopg.connect(databases.owner_url(NAME).replace("+psycopg", "")) as connection:
        ids = _people(connection)
    migrate.upgrade(databases.owner_url(NAME))
    app = create_app(
        replace(configured, database_url=databases.app_url(NAME), migration_database_url=databases.owner_url(NAME))
    )
    with app.app_context():
        yield app, ids
        db.session.remove()
        db.engine.dispose()
    databases.drop(NAME)


def _owners(ids: dict[str, UUID]) -> dict[str, tuple[bool, bool, dict[str, int], bool]]:
    names = {id: name for name, id in ids.items()}
    rows = session().scalars(sa.select(AccountOwner).execution_options(populate_existing=True)).all()
    found = {
        names[owner.owner_id]: (
            owner.debits_frozen, owner.credits_frozen, {key: int(n) for key, n in owner.blocked_amounts.items()},
            owner.closed,
        )
        for owner in rows
    }  # fmt: skip
    session().rollback()
    return found


def test_every_client_owns_accounts_from_now_on_with_the_freeze_that_its_blocks_mean(
    upgraded: tuple[Flask, dict[str, UUID]],
) -> None:
    assert _owners(upgraded[1]) == EXPECTED


def test_the_upgrade_writes_what_the_product_itself_would_write(upgraded: tuple[Flask, dict[str, UUID]]) -> None:
    """A block that is placed or lifted later writes the freeze anew: a closed client stays closed then, too."""
    _, ids = upgraded
    for client_id in ids.values():
        with transaction():
            apply_freeze(client_id)
    assert _owners(ids) == EXPECTED


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if not expected[3]])
def test_an_account_that_is_opened_after_the_upgrade_is_frozen_like_its_owner(
    upgraded: tuple[Flask, dict[str, UUID]], name: str
) -> None:
    _, ids = upgraded
    debits, credits, amounts, _ = EXPECTED[name]
    for currency in ("eur", "usd"):
        with transaction():
            account = accounts.open_account(type=AccountType.CLIENT, currency=currency, owner_id=ids[name], by=system())
        row = session().scalars(sa.select(AccountBalance).where(AccountBalance.account_id == account.id)).one()
        assert (row.debits_frozen, row.credits_frozen, row.blocked_minor) == (debits, credits, amounts.get(currency, 0))


@pytest.mark.parametrize("name", ["closed", "closed and blocked"])
def test_a_client_that_was_closed_before_opens_no_account(upgraded: tuple[Flask, dict[str, UUID]], name: str) -> None:
    with pytest.raises(Refused) as refusal, transaction():
        accounts.open_account(type=AccountType.CLIENT, currency="eur", owner_id=upgraded[1][name], by=system())
    assert refusal.value.code == "clientClosed"


def test_the_first_business_day_is_open_after_the_upgrade(upgraded: tuple[Flask, dict[str, UUID]]) -> None:
    assert days.open_day().state == "open"
    session().rollback()


def test_a_second_upgrade_leaves_owners_as_they_are(
    upgraded: tuple[Flask, dict[str, UUID]], databases: Databases
) -> None:
    migrate.upgrade(databases.owner_url(NAME))
    assert _owners(upgraded[1]) == EXPECTED
