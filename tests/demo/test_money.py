"""The money of `flask demo load`: true balances at every moment, and a ledger to go on working with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Audience, Role
from dashboard.app import create_app
from dashboard.approvals import services as approvals
from dashboard.database import db, session, transaction
from dashboard.errors import Refused
from dashboard.home.demo_data import checking, loading
from dashboard.home.demo_data.checking import MONEY, broken_rules
from dashboard.home.demo_data.rows import COLUMNS
from dashboard.ledger.models import Account, AccountBalance, BankAccount, BusinessDay, LedgerTransaction, Payment
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, adjusting, days, payments, snapshots
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.settings import Settings
from dashboard.transfers.models import Transfer
from dashboard.transfers.services.claiming import transfer_of
from tests.conftest import Browser, Databases, Machine, People

CLIENTS, TRANSACTIONS = 240, 4_001
#: small enough that every shard gets accounts
PARCEL = 50


@pytest.fixture(scope="module")
def loaded(databases: Databases, configured: Settings) -> Iterator[Settings]:
    """Settings of a database that was filled once. What tests do through `app` is rolled back."""
    app_url, owner_url = databases.clone("countinghouse_demo_money")
    chosen = replace(configured, database_url=app_url, migration_database_url=owner_url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "PARCEL", PARCEL)
        found = loading.load(owner_url, chosen, clients=CLIENTS, transactions=TRANSACTIONS, seed=1)
    assert found.transactions == TRANSACTIONS
    yield chosen
    databases.drop("countinghouse_demo_money")


@pytest.fixture(scope="module")
def application(loaded: Settings) -> Iterator[Flask]:
    """What the fixtures `app`, `signed_in` and `machine` work on here."""
    app = create_app(loaded)
    app.test_client_class = Browser
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False, RATELIMIT_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def owner(loaded: Settings) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """The owner of the tables; what it does is rolled back."""
    url = (loaded.migration_database_url or "").replace("+psycopg", "", 1)
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        yield connection
        connection.rollback()


# --- what was loaded --------------------------------------------------------------------------------------------


def test_every_rule_of_clients_and_money_holds(owner: psycopg.Connection[tuple[object, ...]]) -> None:
    assert broken_rules(owner) == []


ONE_OPEN = "(SELECT account_id FROM account_balance WHERE guarded AND NOT closed AND posted > 0 LIMIT 1)"
BREAKING = {
    "balances sum to zero in every currency": (
        f"UPDATE account_balance SET posted = posted + 1 WHERE account_id = {ONE_OPEN}"
    ),
    "a stored balance is the sum of its transactions": (
        f"UPDATE account_balance SET held = held + 1 WHERE account_id = {ONE_OPEN}"
    ),
    "client accounts are guarded and have one balance row, others have sixteen": (
        "DELETE FROM account_balance WHERE slot = 7 AND posted = 0"
    ),
    "a freeze is what the client's blocks mean": ("UPDATE account_owner SET debits_frozen = NOT debits_frozen"),
    "the owner's freeze stands on its accounts": (
        f"UPDATE account_balance SET credits_frozen = true WHERE account_id = {ONE_OPEN} AND NOT credits_frozen"
    ),
    "no money moved on an account while its client was blocked": (
        "UPDATE client_block SET started_at = started_at - interval '80 days'"
    ),
    "nothing moves before an account is opened or after it is closed": ("UPDATE account SET created_at = now()"),
    "transactions are in the state of their payment": ("UPDATE payment SET state = 'canceled' WHERE state = 'pending'"),
    "identifiers carry the time of making": ("UPDATE payment SET created_at = created_at - interval '1 hour'"),
    "a payment's history leads to its state": ("DELETE FROM payment_state_change WHERE position = 2"),
    "what is posted is booked on the business day of its time": (
        "UPDATE payment SET booking_date = booking_date - 1 WHERE state = 'posted'"
    ),
    "days follow one another and all but the last are closed and have their snapshot": (
        "UPDATE business_day SET snapshot_at = NULL"
    ),
    "the snapshot of the last closed day and what came after it give the balance": (
        "UPDATE daily_balance SET posted = posted + 1"
    ),
    "totals of a day sum to zero in every currency": (
        "UPDATE daily_total SET posted = posted + 1 WHERE account_type = 'client'"
    ),
}


def test_every_rule_of_money_has_something_that_breaks_it() -> None:
    assert set(BREAKING) == set(MONEY)


@pytest.mark.parametrize("rule", BREAKING)
def test_a_broken_rule_is_named(owner: psycopg.Connection[tuple[object, ...]], rule: str) -> None:
    owner.execute("SET CONSTRAINTS ALL DEFERRED")
    for (table,) in owner.execute("SELECT c.relname FROM pg_class c WHERE relkind = 'r' AND relhastriggers").fetchall():
        owner.execute(psycopg.sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(psycopg.sql.Identifier(str(table))))
    assert owner.execute(BREAKING[rule].encode()).rowcount > 0
    assert rule in broken_rules(owner, MONEY)


def test_no_account_was_below_its_limit_at_any_time(owner: psycopg.Connection[tuple[object, ...]]) -> None:
    """All changes of state once more, in the order of time, against a book of our own."""
    rows = owner.execute(
        "SELECT h.from_state, h.to_state, t.debtor_account_id, t.creditor_account_id, t.amount_minor"
        " FROM payment_state_change h JOIN ledger_transaction t ON t.payment_id = h.payment_id"
        " ORDER BY h.at, t.id"
    ).fetchall()
    guarded = owner.execute("SELECT account_id, limit_minor FROM account_balance WHERE guarded").fetchall()
    limits = {account: int(str(limit)) for account, limit in guarded}
    posted: dict[object, int] = {}
    held: dict[object, int] = {}
    assert len(rows) > TRANSACTIONS
    for before, after, debtor, creditor, amount in rows:
        assert isinstance(amount, int)
        if before == "pending":
            held[debtor] = held.get(debtor, 0) - amount
        if after == "pending":
            held[debtor] = held.get(debtor, 0) + amount
        if after == "posted":
            posted[debtor] = posted.get(debtor, 0) - amount
            posted[creditor] = posted.get(creditor, 0) + amount
        if debtor in limits and after in {"pending", "posted"}:
            assert posted.get(debtor, 0) - held.get(debtor, 0) >= -limits[debtor], debtor
    stored = owner.execute(
        "SELECT account_id, sum(posted), sum(held) FILTER (WHERE guarded) FROM account_balance GROUP BY account_id"
    ).fetchall()
    for account, balance, kept in stored:
        assert posted.get(account, 0) == balance
        assert kept is None or held.get(account, 0) == kept
    assert sum(posted.values()) == 0


def test_snapshots_are_those_that_ending_the_days_would_have_written(
    owner: psycopg.Connection[tuple[object, ...]], loaded: Settings
) -> None:
    """The service's own statements, day by day, over the same transactions."""
    tables = ("daily_balance", "daily_total")
    before = [sorted(owner.execute(f"SELECT * FROM {table}").fetchall()) for table in tables]
    assert all(len(rows) > 100 for rows in before)
    engine = sa.create_engine(loaded.migration_database_url or "")
    with engine.connect() as connection:
        for table in tables:
            connection.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            connection.execute(sa.text(f"DELETE FROM {table}"))
        closed = connection.execute(
            sa.text("SELECT day, closed_at FROM business_day WHERE state = 'closed' ORDER BY day")
        ).all()
        previous = None
        for day, closed_at in closed:
            connection.execute(snapshots._BALANCES, {"day": day})
            connection.execute(snapshots._TOTALS, {"day": day, "before": previous, "closed_at": closed_at})
            previous = day
        after = [
            sorted(tuple(row) for row in connection.execute(sa.text(f"SELECT * FROM {table}"))) for table in tables
        ]
        connection.rollback()
    engine.dispose()
    assert after == before


def test_there_is_every_kind_of_payment(owner: psycopg.Connection[tuple[object, ...]]) -> None:
    states = {state for (state,) in owner.execute("SELECT DISTINCT state FROM payment").fetchall()}
    assert states == {"draft", "pending", "posted", "canceled", "error"}
    assert owner.execute("SELECT 1 FROM payment WHERE reverses_id IS NOT NULL AND purpose = 'reversal'").fetchone()
    kinds = owner.execute(
        "SELECT DISTINCT d.type, c.type FROM ledger_transaction t"
        " JOIN account d ON d.id = t.debtor_account_id JOIN account c ON c.id = t.creditor_account_id"
    ).fetchall()
    wanted = {
        ("settlement", "client"), ("client", "settlement"), ("client", "fees"), ("client", "client"),
        ("client", "fxPosition"), ("fxPosition", "client"), ("opening", "client"), ("settlement", "opening"),
    }  # fmt: skip
    assert wanted <= set(kinds)  # type: ignore[arg-type]
    assert owner.execute("SELECT 1 FROM account WHERE status = 'closed' AND type = 'client'").fetchone()
    assert owner.execute("SELECT 1 FROM account_balance WHERE guarded AND debits_frozen").fetchone()


def test_a_reversal_mirrors_what_it_reverses(owner: psycopg.Connection[tuple[object, ...]]) -> None:
    query = (
        "SELECT array_agg((t.{}, t.{}, t.amount_minor)::text ORDER BY t.position {}) FROM payment p"
        " JOIN ledger_transaction t ON t.payment_id = p.{} WHERE p.reverses_id IS NOT NULL GROUP BY p.id ORDER BY p.id"
    )
    mirrors = owner.execute(query.format("debtor_account_id", "creditor_account_id", "", "id").encode()).fetchall()
    origins = query.format("creditor_account_id", "debtor_account_id", "DESC", "reverses_id")
    assert mirrors == owner.execute(origins.encode()).fetchall()
    assert mirrors


def test_payments_of_the_last_days_have_their_events_and_older_ones_have_none(
    owner: psycopg.Connection[tuple[object, ...]],
) -> None:
    (since,) = owner.execute("SELECT opened_at FROM business_day ORDER BY day DESC OFFSET 2 LIMIT 1").fetchone() or (
        "",
    )
    count = "SELECT count(*) FROM payment_state_change h JOIN payment p ON p.id = h.payment_id WHERE p.created_at >= %s"
    drafts = (
        "SELECT count(*) FROM payment p WHERE created_at >= %s AND NOT EXISTS (SELECT 1 FROM payment_state_change h"
        " WHERE h.payment_id = p.id AND h.position = 1 AND (h.from_state <> 'draft' OR h.at = p.created_at))"
    )
    wanted = sum(int(str(owner.execute(query, (since,)).fetchone()[0])) for query in (count, drafts))  # type: ignore[index]
    told = owner.execute("SELECT count(*), min(occurred_at) FROM audit_event WHERE object_type = 'payment'").fetchone()
    assert told is not None
    assert told[0] == wanted > 50
    assert told[1] >= since  # type: ignore[operator]


def test_the_chart_is_that_of_registered_bank_accounts(app: Flask) -> None:
    """What `register_bank_account` would make of two providers and four currencies."""
    shape = sa.select(
        Account.type, Account.currency, Account.provider, Account.standard, Account.alias, sa.func.count()
    ).where(Account.owner_id.is_(None))
    shape = shape.group_by(Account.type, Account.currency, Account.provider, Account.standard, Account.alias)
    loaded = set(session().execute(shape).all())
    banks = list(session().scalars(sa.select(BankAccount)))
    assert {(bank.provider, bank.currency) for bank in banks} == {
        (provider, currency) for provider in ("sandbox", "bank-alpha") for currency in ("eur", "gbp", "usd", "pln")
    }
    # and each provider keeps an account of the house's own money
    own = {row for row in loaded if "own funds" in (row[4] or "")}
    assert len(own) == 4 * 3 and len(loaded - own) == 8 * 3 + 4 * 7
    with transaction():
        fresh = accounts.register_bank_account(
            provider="sandbox", name="Sandbox safeguarding", number="LT1", currency="chf", by=system()
        )
    registered = set(session().execute(shape.where(Account.currency == "chf")).all())
    as_euro = {
        ("eur", *row[:1], *row[2:4], (row[4] or "").replace("CHF", "EUR"), row[5]) for row in map(tuple, registered)
    }
    euro = {
        ("eur", *row[:1], *row[2:4], row[4] or "", row[5])
        for row in map(tuple, loaded - own)
        if row[1] == "eur" and row[2] in {None, fresh.provider}
    }
    assert as_euro == euro


# --- the product on it ------------------------------------------------------------------------------------------


def _busy() -> Account:
    """An open account of a client who is not blocked, with some money, of the client with the most transactions."""
    found = session().scalar(
        sa.select(Account)
        .join(AccountBalance, AccountBalance.account_id == Account.id)
        .where(
            Account.owner_id.is_not(None), Account.currency == "eur", AccountBalance.posted - AccountBalance.held > 100,
            ~AccountBalance.debits_frozen, ~AccountBalance.credits_frozen, ~AccountBalance.closed,
            AccountBalance.blocked_minor == 0,
        )
        .order_by(Account.created_at)
        .limit(1)
    )  # fmt: skip
    assert found is not None
    return found


def test_pages_show_it(app: Flask, signed_in: Callable[..., FlaskClient]) -> None:
    account = _busy()
    number, held_by, account_id = account.number, account.owner_id, account.id
    payment = session().scalar(
        sa.select(LedgerTransaction.payment_id).where(LedgerTransaction.debtor_account_id == account_id).limit(1)
    )
    browser = signed_in(Role.TREASURER)
    for address in (
        "/ledger/accounts", f"/ledger/accounts/{account_id}", f"/ledger/owners/{held_by}/accounts",
        "/ledger/transactions", f"/ledger/payments/{payment}", "/ledger/days", f"/clients/{held_by}",
    ):  # fmt: skip
        answer = browser.get(address, follow_redirects=True)
        assert answer.status_code == 200, address
    page = browser.get(f"/ledger/accounts/{account_id}").text.replace("\N{NO-BREAK SPACE}", " ")
    assert number[-4:] in page
    assert "Transfer fee" in page or "Opening balance" in page


def test_machines_read_it(app: Flask, machine: Callable[..., Machine]) -> None:
    account = _busy()
    teller = machine(Audience.SYSTEM)
    answer = teller.call("GET", f"/v2/ledger/internal/Accounts/{account.id}")
    assert answer.status_code == 200
    assert account.number in answer.text
    totals = teller.call("GET", "/v2/ledger/internal/Accounts/getAggregatedAmounts?currency=eur")
    assert totals.status_code == 200
    assert "settlement" in totals.text


def test_money_goes_on_moving(app: Flask) -> None:
    account = _busy()
    fees = accounts.standard_account(AccountType.FEES, "eur")
    with transaction():
        done = payments.pay(Order(ParentType.TRANSFER, uuid4(), [Leg(account.id, fees, 100, "eur")]), by=system())
        assert done.outcomes[0].code is None
        for verb in (payments.post, payments.cancel):
            held = Order(ParentType.TRANSFER, uuid4(), [Leg(account.id, fees, 50, "eur")])
            payments.hold(held, by=system())
            verb(held.id, by=system())
        # what waits in the demo is in the hands of a transfer, and moves by way of it
        waiting = session().scalar(
            sa.select(Payment.id).where(Payment.state == "pending").order_by(Payment.id).limit(1)
        )
        assert waiting is not None and transfer_of(waiting) is not None
        drafted = session().scalar(
            sa.select(Payment.id)
            .where(Payment.state == "draft", ~sa.exists().where(Transfer.payment_id == Payment.id))
            .limit(1)
        )
        assert drafted is not None
        payments.cancel(drafted, by=system(), reason="The recipient asked for it.")


def test_an_account_that_is_opened_gets_a_number_that_nobody_has(app: Flask) -> None:
    taken = set(session().scalars(sa.select(Account.number)))
    with transaction():
        opened = accounts.open_account(
            type=AccountType.CLIENT, currency="eur", owner_id=_busy().owner_id, by=system()
        )  # fmt: skip
        assert opened.number not in taken


def test_two_people_adjust_and_reverse(app: Flask, people: People) -> None:
    account = _busy()
    maker, decider = people.actor(Role.TREASURER), people.actor(Role.SENIOR_TREASURER)
    income = accounts.standard_account(AccountType.INCOME, "eur")
    before = session().scalar(sa.select(AccountBalance.posted).where(AccountBalance.account_id == account.id))
    with transaction():
        order = Order(ParentType.ADJUSTING_PAYMENT, uuid4(), [Leg(income, account.id, 250, "eur")])
        asked = adjusting.ask(order, reason="Fee given back.", by=maker)
        assert approvals.decide(asked.id, approve=True, reason=None, by=decider).state == "approved"
        earlier = session().scalar(
            sa.select(Payment.id)
            .join(LedgerTransaction, LedgerTransaction.payment_id == Payment.id)
            .where(LedgerTransaction.debtor_account_id == account.id, Payment.state == "posted")
            .where(~sa.exists().where(sa.orm.aliased(Payment).reverses_id == Payment.id))
            # money of a transfer is corrected by way of the transfer
            .where(~sa.exists().where(Transfer.payment_id == Payment.id))
            .order_by(Payment.id.desc())
            .limit(1)
        )
        assert earlier is not None
        asked = adjusting.ask_to_reverse(earlier, reason="Sent twice.", by=maker)
        assert approvals.decide(asked.id, approve=True, reason=None, by=decider).state == "approved"
    after = session().scalar(sa.select(AccountBalance.posted).where(AccountBalance.account_id == account.id))
    assert before is not None and after is not None
    assert after > before + 250


def test_the_day_ends_and_its_snapshot_ties_out(app: Flask) -> None:
    today = days.open_day().day
    ended, snapshot = snapshots.end_of_day(today, by=system())
    assert ended.day == snapshot.day == today
    sums: dict[str, int] = {}
    for line in snapshot.totals:
        sums[line.currency] = sums.get(line.currency, 0) + line.posted
    assert set(sums.values()) == {0}
    stored = session().scalar(
        sa.select(sa.func.sum(AccountBalance.posted)).where(AccountBalance.guarded, AccountBalance.currency == "eur")
    )
    assert stored == sum(
        line.posted for line in snapshot.totals if (line.currency, line.account_type) == ("eur", "client")
    )


def test_the_open_day_is_the_calendars_and_nothing_lies_ahead(app: Flask) -> None:
    rows = list(session().scalars(sa.select(BusinessDay).order_by(BusinessDay.day)))
    opened = days.open_day()
    assert [row.state for row in rows] == ["closed"] * (len(rows) - 1) + ["open"]
    assert opened.day == days.following(opened.day - timedelta(days=1))
    assert len(rows) > 55
    newest = session().scalar(sa.select(sa.func.max(Payment.created_at)))
    assert newest is not None
    assert newest < clock.now()


# --- the load itself --------------------------------------------------------------------------------------------


def _fingerprint(url: str) -> list[object]:
    with psycopg.connect(url.replace("+psycopg", "", 1), options="-c timezone=UTC") as connection:
        return [
            connection.execute(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t").fetchone()
            for table in COLUMNS
        ]


def test_a_large_load_by_several_processes_gives_the_same_rows(
    databases: Databases, loaded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "LARGE", 10)
    monkeypatch.setattr(loading, "PARCEL", PARCEL)
    _app_url, owner_url = databases.clone("countinghouse_demo_apart")
    # a clone belongs to whoever cloned it; whoever builds indexes must be allowed to create in it
    databases.execute(f'ALTER DATABASE countinghouse_demo_apart OWNER TO "{sa.make_url(owner_url).username}"')
    said: list[str] = []
    loading.load(owner_url, loaded, clients=CLIENTS, transactions=TRANSACTIONS, seed=1, progress=said.append)
    assert "Checking the rules" in said
    assert _fingerprint(owner_url) == _fingerprint(loaded.migration_database_url or "")
    databases.drop("countinghouse_demo_apart")


def test_a_load_that_breaks_its_rules_leaves_nothing(
    databases: Databases, loaded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _app_url, owner_url = databases.clone("countinghouse_demo_broken")
    monkeypatch.setattr(checking, "MONEY", {"nothing is posted": "SELECT 1 FROM payment"})
    with pytest.raises(Refused, match="nothing is posted"):
        loading.load(owner_url, loaded, clients=20, transactions=50, seed=1)
    with psycopg.connect(owner_url.replace("+psycopg", "", 1)) as connection:
        assert connection.execute("SELECT count(*) FROM account").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM business_day").fetchone() == (1,)
    databases.drop("countinghouse_demo_broken")


def test_a_ledger_that_holds_accounts_refuses_demo_data(databases: Databases, loaded: Settings) -> None:
    _app_url, owner_url = databases.clone("countinghouse_demo_ledger")
    with psycopg.connect(owner_url.replace("+psycopg", "", 1)) as connection:
        connection.execute(
            "INSERT INTO account (id, type, number, currency, created_at)"
            " VALUES ('01900000-0000-7000-8000-00000000000a', 'fees', 'LT1', 'eur', now())"
        )
    with pytest.raises(Refused, match="holds accounts already"):
        loading.load(owner_url, loaded, clients=1, transactions=0, seed=1)
    databases.drop("countinghouse_demo_ledger")


def test_transactions_without_clients_are_refused(loaded: Settings) -> None:
    with pytest.raises(Refused, match="need clients"):
        loading.load(loaded.migration_database_url or "", loaded, clients=0, transactions=5, seed=1)


@pytest.mark.parametrize(("clients", "transactions"), [(0, 0), (1, 1), (3, 40), (40, 7)])
def test_the_smallest_loads_hold_too(databases: Databases, loaded: Settings, clients: int, transactions: int) -> None:
    """There are exactly as many transactions as were asked for."""
    _app_url, owner_url = databases.clone("countinghouse_demo_small")
    found = loading.load(owner_url, loaded, clients=clients, transactions=transactions, seed=1)
    assert (found.clients, found.transactions) == (clients, transactions)
    with psycopg.connect(owner_url.replace("+psycopg", "", 1)) as connection:
        assert broken_rules(connection) == []
        assert connection.execute("SELECT count(*) FROM ledger_transaction").fetchone() == (transactions,)
    databases.drop("countinghouse_demo_small")


def test_the_command_makes_ten_transactions_for_each_client_unless_told_otherwise(
    databases: Databases, loaded: Settings
) -> None:
    app_url, owner_url = databases.clone("countinghouse_demo_command")
    app = create_app(replace(loaded, database_url=app_url, migration_database_url=owner_url))
    answer = app.test_cli_runner().invoke(args=["demo", "load", "--clients", "12"])
    assert answer.exit_code == 0, answer.output
    assert "12 clients, 120 transactions" in answer.output
    with app.app_context():
        db.engine.dispose()
    databases.drop("countinghouse_demo_command")
