"""What the database itself refuses, whoever asks: the application's role by its rights, the owner by triggers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.database import db, transaction
from dashboard.ledger.services import accounts, payments
from dashboard.settings import Settings
from tests.conftest import Databases
from tests.ledger.committing import application
from tests.ledger.conftest import Book

LEDGER = (
    "payment", "ledger_transaction", "payment_state_change", "account_balance", "account", "account_owner",
    "bank_account", "business_day", "daily_balance", "daily_total", "balance_check", "balance_finding",
    "opening_import", "opening_row", "one_time_password",
)  # fmt: skip
#: the application's role may add to these, and change nothing (the columns of money, that is) in them
NO_UPDATE = {
    "payment": "state = 'posted'",
    "ledger_transaction": "amount_minor = 1",
    "payment_state_change": "to_state = 'posted'",
    "account_balance": "posted = 0",
    "account": "currency = 'usd'",
    "bank_account": "number = 'x'",
    "daily_balance": "posted = 0",
    "daily_total": "posted = 0",
    "opening_row": "amount_minor = 1",
}
NO_INSERT = ("payment", "ledger_transaction", "payment_state_change")


class Asking:
    """One connection; each statement is tried and taken back, whatever it does."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def refused_as(self, statement: str, *values: Any) -> str:
        """The name of the constraint or trigger that refuses the statement; its SQLSTATE where there is no name."""
        try:
            with self.connection.transaction(force_rollback=True):
                self.connection.execute(statement, values)  # type: ignore[arg-type]
                # what is checked at the end of a transaction is checked now
                self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except psycopg.Error as error:
            return error.diag.constraint_name or error.sqlstate or "?"
        return "nothing"


@pytest.fixture(scope="module")
def standing(databases: Databases, configured: Settings) -> Iterator[Flask]:
    with application(databases, configured) as app:
        yield app


@pytest.fixture
def ledger(standing: Flask) -> Iterator[Book]:
    with standing.app_context():
        yield Book()


@pytest.fixture
def as_owner(ledger: Book, databases: Databases) -> Iterator[Asking]:
    """As the role that owns the tables."""
    name = db.engine.url.database
    assert name
    with psycopg.connect(databases.owner_url(name).replace("+psycopg", ""), autocommit=True) as connection:
        yield Asking(connection)


@pytest.fixture
def as_application(ledger: Book) -> Iterator[Asking]:
    """As the application is, on one of its own connections."""
    raw = db.engine.raw_connection()
    connection = raw.driver_connection
    assert isinstance(connection, psycopg.Connection)
    connection.rollback()
    connection.autocommit = True
    yield Asking(connection)
    connection.autocommit = False
    raw.close()


def test_the_application_may_neither_delete_nor_truncate_nor_rewrite_what_the_ledger_holds(
    ledger: Book, as_application: Asking
) -> None:
    ledger.pay(ledger.account(100), ledger.account(), 10)
    denied = "42501"
    for table in LEDGER:
        assert as_application.refused_as(f"DELETE FROM {table}") == denied, table
        assert as_application.refused_as(f"TRUNCATE {table} CASCADE") == denied, table
    for table, change in NO_UPDATE.items():
        assert as_application.refused_as(f"UPDATE {table} SET {change}") == denied, table
    for table in NO_INSERT:
        assert as_application.refused_as(f"INSERT INTO {table} SELECT * FROM {table}") == denied, table
    for column in ("held", "limit_minor", "closed", "guarded", "currency"):
        assert as_application.refused_as(f"UPDATE account_balance SET {column} = {column}") == denied, column
    for statement in (
        "ALTER TABLE payment DISABLE TRIGGER ALL",
        "DROP TRIGGER account_balance_zero_sum ON account_balance",
        "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION public.payment_guard() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
    ):
        assert as_application.refused_as(statement) == denied, statement


def test_nobody_deletes_or_truncates_what_the_ledger_holds(ledger: Book, as_owner: Asking) -> None:
    payer = ledger.account(100)
    ledger.pay(payer, ledger.account(), 10)
    append_only = ("payment_state_change", "daily_balance", "daily_total", "opening_row")
    for table in LEDGER:
        trigger = f"{table}_is_append_only" if table in append_only else f"{table}_is_never_deleted"
        assert as_owner.refused_as(f"DELETE FROM {table}") == trigger
        # with CASCADE the trigger of a table that depends may be the first to refuse
        assert as_owner.refused_as(f"TRUNCATE {table} CASCADE").endswith(("_is_append_only", "_is_never_deleted"))
    assert as_owner.refused_as("UPDATE payment_state_change SET reason = 'other'") == (
        "payment_state_change_is_append_only"
    )


def test_what_is_posted_is_never_changed_not_even_by_the_owner(ledger: Book, as_owner: Asking) -> None:
    payer, taker = ledger.account(100), ledger.account()
    for payment_id in (ledger.pay(payer, taker, 10), canceled(ledger, payer, taker)):
        for change in ("state = 'draft'", "state_reason = 'x'", "value_date = '2020-01-01'", "purpose = 'other'"):
            statement = f"UPDATE payment SET {change} WHERE id = %s"
            assert as_owner.refused_as(statement, payment_id) == "payment_is_final"
        for change in ("amount_minor = 1", "description = 'x'", "state = 'draft'", "booking_date = '2020-01-01'"):
            statement = f"UPDATE ledger_transaction SET {change} WHERE payment_id = %s"
            assert as_owner.refused_as(statement, payment_id) == "ledger_transaction_is_final"


def canceled(ledger: Book, payer: UUID, taker: UUID) -> UUID:
    payment_id = ledger.draft(payer, taker, 10)
    with transaction():
        payments.cancel(payment_id, by=system())
    return payment_id


def test_a_living_payment_goes_forward_and_changes_in_nothing_else(ledger: Book, as_owner: Asking) -> None:
    payer, taker = ledger.account(100), ledger.account()
    payment_id = ledger.draft(payer, taker, 10)
    assert as_owner.refused_as("UPDATE payment SET state = 'draft' WHERE id = %s", payment_id) == (
        "payment_state_goes_forward"
    )
    for change in ("parent_id = gen_random_uuid()", "purpose = 'other'", "created_at = now()", "maker_kind = 'staff'"):
        statement = f"UPDATE payment SET state = 'pending', {change} WHERE id = %s"
        assert as_owner.refused_as(statement, payment_id) == "payment_is_as_made"
    for change in ("amount_minor = 11", "debtor_account_id = creditor_account_id", "description = 'x'", "position = 2"):
        statement = f"UPDATE ledger_transaction SET {change} WHERE payment_id = %s"
        assert as_owner.refused_as(statement, payment_id) == "ledger_transaction_is_as_made"
    with transaction():
        payments.pend(payment_id, by=system())
    assert as_owner.refused_as("UPDATE payment SET state = 'draft' WHERE id = %s", payment_id) == (
        "payment_state_goes_forward"
    )
    history = "INSERT INTO payment_state_change (payment_id, position, from_state, to_state, at, by_kind)"
    for source, to in (("posted", "draft"), ("pending", "draft"), ("canceled", "posted"), ("draft", "draft")):
        assert as_owner.refused_as(
            f"{history} VALUES (%s, 9, %s, %s, now(), 'system')", payment_id, source, to
        ) == "ck_payment_state_change_change_is_legal"  # fmt: skip


def test_balances_change_by_a_sum_of_zero_per_currency(ledger: Book, as_owner: Asking) -> None:
    first, second, dollars = ledger.account(100), ledger.account(100), ledger.account(100, currency="usd")
    rule = "account_balance_zero_sum"
    assert as_owner.refused_as("UPDATE account_balance SET posted = posted + 1 WHERE account_id = %s", first) == rule
    both = (
        "UPDATE account_balance SET posted = posted + CASE account_id WHEN %s THEN 1 ELSE -1 END"
        " WHERE account_id IN (%s, %s)"
    )
    # one currency's gain is not the other's loss
    assert as_owner.refused_as(both, first, first, dollars) == rule
    assert as_owner.refused_as(both, first, first, second) == "nothing"
    with as_owner.connection.transaction(force_rollback=True):
        as_owner.connection.execute("SET LOCAL countinghouse.rebuilding = 'on'")
        assert (
            as_owner.refused_as("UPDATE account_balance SET posted = posted + 1 WHERE account_id = %s", first) == rule
        )


def test_balances_stay_within_their_bounds(ledger: Book, as_owner: Asking) -> None:
    poor, rich, limited = ledger.account(100), ledger.account(500), ledger.account(0, limit=30)
    closed = ledger.account()
    with transaction():
        accounts.close(closed, by=system())
    move = (
        "UPDATE account_balance SET posted = posted + CASE account_id WHEN %s THEN -(%s) ELSE %s END"
        " WHERE account_id IN (%s, %s)"
    )

    def moved(debtor: UUID, creditor: UUID, amount: int) -> str:
        return as_owner.refused_as(move, debtor, amount, amount, debtor, creditor)

    assert moved(poor, rich, 100) == "nothing"
    assert moved(poor, rich, 101) == "ck_account_balance_within_limit"
    assert moved(limited, rich, 30) == "nothing"
    assert moved(limited, rich, 31) == "ck_account_balance_within_limit"
    assert moved(rich, closed, 1) == "ck_account_balance_closed_is_empty"
    change = "UPDATE account_balance SET {} WHERE account_id = %s"
    assert as_owner.refused_as(change.format("held = 101"), poor) == "ck_account_balance_within_limit"
    assert as_owner.refused_as(change.format("held = -1"), poor) == "ck_account_balance_held_not_negative"
    assert as_owner.refused_as(change.format("limit_minor = -1"), poor) == "ck_account_balance_limit_not_negative"
    assert as_owner.refused_as(change.format("blocked_minor = -1"), poor) == "ck_account_balance_blocked_not_negative"
    assert as_owner.refused_as(change.format("held = 1"), ledger.house()) == "ck_account_balance_only_guarded_hold"
    assert as_owner.refused_as(change.format("limit_minor = 1"), ledger.house()) == (
        "ck_account_balance_only_guarded_have_limit"
    )
    for column in ("guarded = NOT guarded", "currency = 'usd'", "slot = 1"):
        assert as_owner.refused_as(change.format(column), poor) == "account_balance_is_as_opened", column
    assert as_owner.refused_as(change.format("closed = false"), closed) == "account_balance_is_as_opened"


def test_an_account_begins_empty_guarded_by_its_type_and_stays_what_it_is(
    ledger: Book, as_owner: Asking, as_application: Asking
) -> None:
    owned, house = ledger.account(), ledger.house()
    row = (
        "INSERT INTO account_balance (account_id, slot, currency, guarded, posted, held) VALUES (%s, %s, %s, %s, %s, 0)"
    )
    # the owner may load what another system knew; the application never
    assert as_application.refused_as(row, house, 20, "eur", False, 5) == "account_balance_begins_at_zero"
    assert as_application.refused_as(row, house, 20, "eur", False, 0) == "nothing"
    assert as_owner.refused_as(row, house, 20, "eur", True, 0) == "account_balance_guarded_by_type"
    assert as_owner.refused_as(row, owned, 1, "eur", False, 0) == "account_balance_guarded_by_type"
    assert as_owner.refused_as(row, owned, 1, "eur", True, 0) == "ck_account_balance_guarded_has_one_row"
    assert as_owner.refused_as(row, house, 20, "usd", False, 0) == "fk_account_balance_account_id_currency"
    for change in ("currency = 'usd'", "type = 'fees'", "number = 'X'", "owner_id = gen_random_uuid()"):
        assert as_owner.refused_as(f"UPDATE account SET {change} WHERE id = %s", owned) == "account_is_as_opened"


def test_an_account_closes_empty_without_live_payments_and_for_good(ledger: Book, as_owner: Asking) -> None:
    empty, full, busy = ledger.account(), ledger.account(100), ledger.account()
    ledger.draft(full, busy, 10)
    close = "UPDATE account SET status = 'closed', closed_at = now() WHERE id = %s"
    assert as_owner.refused_as(close, full) == "account_closes_empty"
    assert as_owner.refused_as(close, empty) == "account_closes_empty"
    with as_owner.connection.transaction(force_rollback=True):
        as_owner.connection.execute("SELECT close_account_balances(%s)", (busy,))
        assert as_owner.refused_as(close, busy) == "account_closes_without_live_payments"
    with transaction():
        accounts.close(empty, by=system())
    assert as_owner.refused_as("UPDATE account SET status = 'open', closed_at = NULL WHERE id = %s", empty) == (
        "account_closed_is_final"
    )


def test_a_transaction_moves_a_positive_amount_of_one_currency_between_two_accounts(
    ledger: Book, as_owner: Asking
) -> None:
    euros, others, dollars = ledger.account(100), ledger.account(), ledger.account(currency="usd")
    payment_id = ledger.draft(euros, others, 10)
    row = (
        "INSERT INTO ledger_transaction (id, payment_id, position, debtor_account_id, creditor_account_id, currency,"
        " amount_minor, state, created_at) VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, %s, 'draft', now())"
    )
    assert as_owner.refused_as(row, payment_id, 2, euros, others, "eur", 1) == "nothing"
    for values, rule in {
        (2, euros, others, "eur", 0): "ck_ledger_transaction_amount_positive",
        (2, euros, others, "eur", -1): "ck_ledger_transaction_amount_positive",
        (2, euros, others, "eur", 10**16 + 1): "ck_ledger_transaction_amount_in_range",
        (2, euros, euros, "eur", 1): "ck_ledger_transaction_two_accounts",
        (1, euros, others, "eur", 1): "uq_ledger_transaction_position",
        (2, euros, dollars, "eur", 1): "fk_ledger_transaction_creditor",
        (2, dollars, euros, "eur", 1): "fk_ledger_transaction_debtor",
        (2, euros, uuid4(), "eur", 1): "fk_ledger_transaction_creditor",
    }.items():
        assert as_owner.refused_as(row, payment_id, *values) == rule, values
    posted = row.replace("'draft'", "'posted'")
    assert (
        as_owner.refused_as(posted, payment_id, 2, euros, others, "eur", 1) == "ck_ledger_transaction_posted_has_dates"
    )


PAYMENT = (
    "INSERT INTO payment (id, parent_type, parent_id, purpose, state, reverses_id, created_at, maker_kind)"
    " VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, now(), 'system')"
)


def test_a_parent_has_one_living_payment_of_a_purpose(ledger: Book, as_owner: Asking) -> None:
    payer, taker, parent = ledger.account(100), ledger.account(), uuid4()
    payment_id = ledger.draft(payer, taker, 10, parent_id=parent)
    assert as_owner.refused_as(PAYMENT, "transfer", parent, "main", "draft", None) == "uq_payment_parent"
    assert as_owner.refused_as(PAYMENT, "transfer", parent, "fee", "draft", None) == "nothing"
    assert as_owner.refused_as(PAYMENT, "paymentRequest", parent, "main", "draft", None) == "nothing"
    with transaction():
        payments.cancel(payment_id, by=system())
    assert as_owner.refused_as(PAYMENT, "transfer", parent, "main", "draft", None) == "nothing"
    assert as_owner.refused_as(PAYMENT, "transfer", uuid4(), "main", "posted", None) == "ck_payment_posted_has_dates"
    assert as_owner.refused_as(PAYMENT, "transfer", uuid4(), "main", "paid", None) == "ck_payment_state_known"
    assert as_owner.refused_as(PAYMENT, "gift", uuid4(), "main", "draft", None) == "ck_payment_parent_type_known"
    assert as_owner.refused_as(PAYMENT.replace("%s, %s, %s, %s, %s", "%s, %s, %s, NULL, %s"), "transfer", uuid4(),
                               "main", None) == "23502"  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE account_balance SET held = -1", "ck_account_balance_held_not_negative"),
        ("UPDATE account_balance SET posted = held - limit_minor - 1 WHERE guarded", "ck_account_balance_within_limit"),
        ("UPDATE account_balance SET slot = 1 WHERE guarded", "ck_account_balance_guarded_has_one_row"),
        ("UPDATE account_balance SET posted = 1000000000000000001", "ck_account_balance_in_range"),
        ("UPDATE account_balance SET closed = true, posted = 1 WHERE guarded", "ck_account_balance_closed_is_empty"),
        ("UPDATE payment SET state = 'paid'", "ck_payment_state_known"),
        ("UPDATE payment SET booking_date = NULL", "ck_payment_posted_has_dates"),
        ("UPDATE ledger_transaction SET amount_minor = 0", "ck_ledger_transaction_amount_positive"),
        ("UPDATE ledger_transaction SET posted_at = NULL", "ck_ledger_transaction_posted_has_dates"),
        ("UPDATE ledger_transaction SET state = 'paid'", "ck_ledger_transaction_state_known"),
        ("UPDATE payment_state_change SET from_state = 'posted'", "ck_payment_state_change_change_is_legal"),
        ("UPDATE audit_event SET actor_kind = 'nobody'", "ck_audit_event_actor_kind_known"),
        ("UPDATE audit_event SET occurred_at = 'infinity'", "ck_audit_event_occurred_at_is_a_date"),
    ],
)
def test_rules_of_money_hold_also_for_a_superuser_whose_session_lets_other_triggers_rest(
    ledger: Book, databases: Databases, statement: str, rule: str
) -> None:
    ledger.pay(ledger.account(100), ledger.account(), 10)
    name = db.engine.url.database
    assert name
    with psycopg.connect(databases.admin, dbname=name, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        assert Asking(connection).refused_as(statement) == rule


def test_rules_are_asked_of_the_row_as_it_will_be_written(ledger: Book) -> None:
    # triggers before a row fire by name: one after this could still change the row
    before_row = "o.tgtype & 3 = 3 AND o.tgtype & 20 > 0 AND NOT o.tgisinternal AND o.tgrelid = t.tgrelid"
    rows = db.session.execute(
        sa.text(
            "SELECT t.tgrelid::regclass::text, t.tgname::text, t.tgenabled::text,"
            f' (SELECT max(o.tgname::text COLLATE "C") FROM pg_trigger o WHERE {before_row})'
            " FROM pg_trigger t WHERE t.tgname LIKE '%keeps_its_rules' ORDER BY 1"
        )
    ).all()
    hot = "account_balance audit_event idempotency_key ledger_transaction payment payment_state_change"
    assert [row[0] for row in rows] == hot.split()
    for table, name, enabled, last in rows:
        assert (enabled, last) == ("A", name), table


def test_a_payment_is_reversed_once_by_an_adjusting_payment(ledger: Book, as_owner: Asking) -> None:
    payment_id = ledger.pay(ledger.account(100), ledger.account(), 10)
    assert as_owner.refused_as(PAYMENT, "transfer", uuid4(), "main", "draft", payment_id) == (
        "ck_payment_reversal_is_adjusting"
    )
    with transaction():
        payments.reverse(payment_id, reason="twice", by=system())
    assert as_owner.refused_as(PAYMENT, "adjustingPayment", uuid4(), "main", "draft", payment_id) == (
        "uq_payment_reversal"
    )


MOVE = (
    "SELECT move_money('posted', false, %(follows)s, 0, ARRAY[gen_random_uuid()], %(types)s::text[],"
    " ARRAY[gen_random_uuid()], '{main}', '{0}', NULL, %(reverses)s::uuid[], '{1}', '{1}', ARRAY[gen_random_uuid()],"
    " %(debtors)s::uuid[], %(creditors)s::uuid[], %(currencies)s::text[], %(amounts)s::bigint[], NULL, NULL,"
    " ARRAY[gen_random_uuid()], 'system', NULL, 'x', 'x', NULL, NULL)"
)


def test_the_function_that_moves_money_trusts_nobody(ledger: Book, as_application: Asking) -> None:
    """Whoever speaks SQL as the application still cannot pass a freeze, or reverse what was not, or by more."""
    payer, taker = ledger.account(100), ledger.account()
    payment_id = ledger.pay(payer, taker, 10)

    def moved(**changes: Any) -> str:
        values = {
            "follows": False, "types": ["adjustingPayment"], "reverses": None, "debtors": [taker],
            "creditors": [payer], "currencies": ["eur"], "amounts": [10], **changes,
        }  # fmt: skip
        connection = as_application.connection
        try:
            with connection.transaction(force_rollback=True):
                connection.execute(MOVE, values)
        except psycopg.Error as error:
            return error.diag.constraint_name or error.sqlstate or "?"
        return "nothing"

    assert moved() == "nothing"
    assert moved(follows=True, reverses=[payment_id]) == "nothing"
    assert moved(follows=True) == "payment_freeze_passed"
    assert moved(reverses=[payment_id], amounts=[9]) == "payment_reversal_mirrors"
    assert moved(reverses=[payment_id], debtors=[payer], creditors=[taker]) == "payment_reversal_mirrors"
    assert moved(reverses=[uuid4()]) == "payment_reversal_mirrors"
    assert moved(reverses=[ledger.draft(payer, taker, 10)]) == "payment_reversal_mirrors"
    assert moved(reverses=[payment_id], types=["transfer"]) == "ck_payment_reversal_is_adjusting"
    assert moved(amounts=[-10]) != "nothing"
    assert moved(amounts=[0]) == "ck_ledger_transaction_amount_positive"


def test_a_business_day_follows_the_last_and_closes_once(ledger: Book, as_owner: Asking) -> None:
    with as_owner.connection.transaction(force_rollback=True):
        run = as_owner.connection.execute
        run("UPDATE business_day SET state = 'closed', closed_at = now() WHERE state = 'open'")
        day = run("SELECT max(day) FROM business_day").fetchone()
        assert day
        add = "INSERT INTO business_day (day, state, opened_at) VALUES (%s, 'open', now())"
        assert as_owner.refused_as(add, day[0]) == "business_day_follows"
        assert as_owner.refused_as(add, "2001-01-01") == "business_day_follows"
        assert as_owner.refused_as("UPDATE business_day SET state = 'open', closed_at = NULL") == (
            "business_day_closed_is_final"
        )
        assert as_owner.refused_as("UPDATE business_day SET closed_at = now() + interval '1 second'") == (
            "business_day_closed_is_final"
        )
        # nothing is posted while no day is open
        assert as_owner.refused_as(
            MOVE.replace("%(follows)s", "false").replace("%(types)s", "'{transfer}'").replace("%(reverses)s", "NULL")
            .replace("%(debtors)s", "ARRAY[%s::uuid]").replace("%(creditors)s", "ARRAY[%s::uuid]")
            .replace("%(currencies)s", "'{eur}'").replace("%(amounts)s", "'{1}'"),
            ledger.house(), ledger.account(),
        ) == "business_day_is_open"  # fmt: skip
    with as_owner.connection.transaction(force_rollback=True):
        add = "INSERT INTO business_day (day, state, opened_at) SELECT max(day) + 1, 'open', now() FROM business_day"
        assert as_owner.refused_as(add) == "uq_business_day_open"


def test_nobody_but_the_owner_and_the_application_may_call_what_moves_money(ledger: Book, as_owner: Asking) -> None:
    open_to_all = as_owner.connection.execute(
        "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = 'public' AND p.prosecdef AND (p.proacl IS NULL OR EXISTS ("
        "   SELECT 1 FROM aclexplode(p.proacl) g WHERE g.grantee = 0 AND g.privilege_type = 'EXECUTE'))"
    ).fetchall()
    assert open_to_all == []
    unguarded = as_owner.connection.execute(
        "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = 'public' AND p.prosecdef AND NOT EXISTS ("
        "   SELECT 1 FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=pg_catalog, public, pg_temp')"
    ).fetchall()
    assert unguarded == []
