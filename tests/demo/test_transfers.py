"""The transfers of `flask demo load`: they agree with the ledger, and the desk has something of everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.app import create_app
from dashboard.database import db, session
from dashboard.home.demo_data import loading, unrecognized
from dashboard.home.demo_data.checking import MONEY, TRANSFERS, broken_rules
from dashboard.home.demo_data.transfers import HELD
from dashboard.settings import Settings
from dashboard.transfers.models import FxRate, IncomingRequest, Provider, Receipt, Transfer
from dashboard.transfers.vocabulary import ReceiptState, RequestState
from tests.conftest import Databases


@pytest.fixture(scope="module")
def loaded(databases: Databases, configured: Settings) -> Iterator[Settings]:
    """Settings of a database that was filled once, with its desk."""
    app_url, owner_url = databases.clone("countinghouse_demo_transfers")
    chosen = replace(configured, database_url=app_url, migration_database_url=owner_url)
    loading.load(owner_url, chosen, clients=150, transactions=8_000, seed=1)
    app = create_app(chosen)
    with app.app_context():
        assert unrecognized.tell(1) >= 15
        db.session.remove()
        db.engine.dispose()
    yield chosen
    databases.drop("countinghouse_demo_transfers")


@pytest.fixture
def demo(loaded: Settings) -> Iterator[Flask]:
    app = create_app(loaded)
    with app.app_context():
        yield app
        session().rollback()
        db.session.remove()
        db.engine.dispose()


def test_transfers_agree_with_payments_and_suspense_with_receipts(loaded: Settings) -> None:
    url = (loaded.migration_database_url or "").replace("+psycopg", "", 1)
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        # the desk's payments were made by the product, whose identifiers are a moment older than their rows
        money = {name: rule for name, rule in MONEY.items() if not name.startswith("identifiers")}
        assert broken_rules(connection, TRANSFERS) == []
        assert broken_rules(connection, money) == []


def test_there_are_transfers_of_every_kind_and_many_states(demo: Flask) -> None:
    found = {
        (kind, status): count
        for kind, status, count in session().execute(
            sa.select(Transfer.kind, Transfer.status, sa.func.count()).group_by(Transfer.kind, Transfer.status)
        )
    }
    assert {kind for kind, _ in found} == {"outgoing", "incoming", "foreignExchange"}
    assert {"completed", "canceled", "manualReview"} <= {status for kind, status in found if kind == "outgoing"}
    assert 1 <= found["outgoing", "manualReview"] <= HELD
    assert found["incoming", "unrecognized"] >= 11
    assert sum(found.values()) >= 400


def test_the_desk_has_receipts_in_every_state_that_waits(demo: Flask) -> None:
    states = set(session().scalars(sa.select(Receipt.state)))
    assert {ReceiptState.OPEN, ReceiptState.ASKED, ReceiptState.KEPT, ReceiptState.WAITING, ReceiptState.ASSIGNED} <= {
        ReceiptState(state) for state in states
    }
    late = session().scalar(
        sa.select(sa.func.count())
        .select_from(Receipt)
        .where(Receipt.allocate_by < sa.func.now(), Receipt.state == ReceiptState.OPEN)
    )
    assert late and late >= 2


def test_a_notification_failed_one_is_linked_and_one_recognized_by_its_reference(demo: Flask) -> None:
    states = set(session().scalars(sa.select(IncomingRequest.state)))
    assert {RequestState.PROCESSED, RequestState.FAILED, RequestState.LINKED} <= {
        RequestState(state) for state in states
    }


def test_providers_are_registered_and_rates_are_fresh(demo: Flask) -> None:
    assert {each.key: each.kind for each in session().scalars(sa.select(Provider))} == {
        "sandbox": "sandbox", "bank-alpha": "files",
    }  # fmt: skip
    assert (session().scalar(sa.select(sa.func.count()).select_from(FxRate)) or 0) >= 90
