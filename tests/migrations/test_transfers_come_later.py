"""A house whose ledger is in use before it knows transfers: the upgrade leaves its money and its rules as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from flask import Flask

from dashboard import migrate
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.app import create_app
from dashboard.database import db, session, transaction
from dashboard.ledger import moving
from dashboard.ledger.services import payments
from dashboard.ledger.vocabulary import ParentType, PaymentState
from dashboard.money import DECIMALS
from dashboard.settings import ROOT, Settings
from tests.conftest import Databases, People
from tests.ledger.conftest import Book
from tests.ledger.invariants import broken

NAME = "countinghouse_before_transfers"


@pytest.fixture(scope="module")
def upgraded(databases: Databases, configured: Settings) -> Iterator[tuple[Flask, Book, dict[str, UUID]]]:
    """The application on a database that was at revision 0002 when money moved in it."""
    databases.drop(NAME)
    owner = sa.make_url(databases.owner_url(NAME)).username
    databases.execute(f'CREATE DATABASE {NAME} OWNER "{owner}"')
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = databases.owner_url(NAME)
    command.upgrade(config, "0002")
    app = create_app(
        replace(configured, database_url=databases.app_url(NAME), migration_database_url=databases.owner_url(NAME))
    )
    with app.app_context():
        book = Book()
        payer, payee = book.account(10_000), book.account(500)
        ids = {"payer": payer, "payee": payee, "paid": book.pay(payer, payee, 1_250)}
        held = book.order(payer, book.house(), 700)
        with transaction():
            payments.hold(held, by=system())
        ids["held"] = held.id
        db.session.remove()
        db.engine.dispose()
        migrate.upgrade(databases.owner_url(NAME))
        yield app, book, ids
        db.session.remove()
        db.engine.dispose()
        app.extensions["countinghouse.lane"].close()
    databases.drop(NAME)


def test_money_stands_as_it_stood_and_held_money_can_still_be_posted(
    upgraded: tuple[Flask, Book, dict[str, UUID]],
) -> None:
    _, book, ids = upgraded
    assert (book.balance(ids["payer"]), book.balance(ids["payee"])) == ((8_750, 700), (1_750, 0))
    with transaction():
        payments.post(ids["held"], by=system())
    assert book.balance(ids["payer"]) == (8_050, 0)
    assert broken() == []


def test_a_payment_that_no_transfer_has_in_hand_is_reversed_as_before(
    upgraded: tuple[Flask, Book, dict[str, UUID]],
) -> None:
    _, book, ids = upgraded
    before = book.balance(ids["payer"])
    with transaction():
        payments.reverse(ids["paid"], reason="a mistake", by=system())
    assert book.balance(ids["payer"])[0] == before[0] + 1_250


def test_adjusting_still_takes_two_people(upgraded: tuple[Flask, Book, dict[str, UUID]]) -> None:
    _, book, ids = upgraded
    by = People().actor(Role.SENIOR_TREASURER)
    order = book.order(ids["payer"], ids["payee"], 1, parent_type=ParentType.ADJUSTING_PAYMENT)
    with pytest.raises(Exception, match="needs two people"), transaction():
        moving.create([order], PaymentState.POSTED, by=by)
    session().rollback()


def test_every_currency_begins_with_limits_fees_and_a_limit_of_the_desk(
    upgraded: tuple[Flask, Book, dict[str, UUID]],
) -> None:
    for table, each in (("transfer_limit", 5), ("transfer_fee", 5), ("desk_limit", 1)):
        rows = session().execute(sa.text(f"SELECT currency, count(*) FROM {table} GROUP BY currency")).all()
        assert dict(map(tuple, rows)) == dict.fromkeys(DECIMALS, each)
    session().rollback()
