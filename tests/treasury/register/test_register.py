"""The register of bank accounts: changed by two people, kept version by version, read by everybody else."""

from __future__ import annotations

import contextlib
from datetime import date, time, timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock, settings
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import new_id, session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, Refused
from dashboard.ledger.models import BankAccount
from dashboard.ledger.services import accounts
from dashboard.ledger.vocabulary import AccountType
from dashboard.treasury.register import queries, services
from dashboard.treasury.register.models import AccountPool, TreasuryAccount
from dashboard.treasury.register.services import Entry
from tests.conftest import People
from tests.treasury.approving import bank_account, install, registered

SAFE = Entry("eMoney", "safeguarding", date(2024, 1, 2), None, "camt", time(7, 30), "LT", None)


def entry(**changes: Any) -> Entry:
    values = {name: getattr(SAFE, name) for name in SAFE.__dataclass_fields__}
    return Entry(**{**values, **changes})


def decided(people: People, request: ApprovalRequest, *, approve: bool = True) -> ApprovalRequest:
    with transaction():
        return approvals.decide(
            request.id, approve=approve, reason="because", by=people.actor(Role.SENIOR_TREASURER)
        )  # fmt: skip


def asked(people: People, bank: BankAccount, wanted: Entry) -> ApprovalRequest:
    with transaction():
        return services.ask_to_change(bank.id, entry=wanted, reason="as agreed", by=people.actor(Role.TREASURER))


def refused_by(name: str, statement: str, **values: Any) -> None:
    with pytest.raises(sa.exc.IntegrityError) as caught, session().begin_nested():
        session().execute(sa.text(statement), values)
    assert name in str(caught.value.orig.diag.constraint_name)  # type: ignore[union-attr]


def test_a_bank_account_without_a_register_row_reads_as_not_registered(app: Flask) -> None:
    bank = bank_account()
    view = queries.account(bank.id)
    assert not view.registered
    assert (view.version, view.pool, view.purpose, view.statement_format) == (0, None, None, None)
    assert view.calendar == clock.calendar().country
    assert view in queries.accounts()
    assert queries.accounts(pool="eMoney") == []


def test_a_change_is_asked_by_one_and_done_when_another_approves(app: Flask, people: People) -> None:
    bank = bank_account()
    request = asked(people, bank, SAFE)
    assert not queries.account(bank.id).registered
    decided(people, request)
    view = queries.account(bank.id)
    assert (view.version, view.pool, view.purpose, view.expected_at) == (1, "eMoney", "safeguarding", time(7, 30))
    request = asked(people, bank, entry(expected_at=time(8, 15)))
    assert request.before == {"Expected by": "07:30 on the next day"}
    assert request.after == {"Expected by": "08:15 on the next day"}
    decided(people, request)
    assert queries.account(bank.id).version == 2
    assert [(v.version, v.expected_at) for v in queries.versions(bank.id)] == [(2, time(8, 15)), (1, time(7, 30))]


def test_the_person_who_asked_does_not_approve(app: Flask, people: People) -> None:
    request = asked(people, bank_account(), SAFE)
    with pytest.raises(Forbidden):
        approvals.decide(request.id, approve=True, reason=None, by=people.actor(Role.TREASURER))


def test_a_request_goes_stale_when_the_register_changed_meanwhile(app: Flask, people: People) -> None:
    bank = bank_account()
    request = asked(people, bank, SAFE)
    install()
    with transaction():
        session().add(
            TreasuryAccount(bank_account_id=bank.id, pool=None, purpose="ownFunds", calendar="LT", version=1,
                            changed_at=clock.now())
        )  # fmt: skip
    assert decided(people, request).state == "stale"
    assert queries.account(bank.id).purpose == "ownFunds"


def test_a_second_request_for_the_same_account_is_refused(app: Flask, people: People) -> None:
    bank = bank_account()
    asked(people, bank, SAFE)
    with pytest.raises(Conflict) as caught:
        asked(people, bank, entry(calendar="PL"))
    assert caught.value.code == "alreadyRequested"


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"purpose": "gambling"}, "purpose", "enum"),
        ({"pool": "cash"}, "pool", "enum"),
        ({"pool": None}, "pool", "required"),
        ({"purpose": "ownFunds", "designated_from": None}, "pool", "notAllowed"),
        ({"designated_from": None}, "designatedFrom", "required"),
        ({"designated_to": date(2023, 1, 1)}, "designatedTo", "range"),
        ({"purpose": "settlement"}, "designatedFrom", "notAllowed"),
        ({"statement_format": None}, "expectedAt", "notAllowed"),
        ({"expected_at": None}, "expectedAt", "required"),
        ({"statement_format": "fax"}, "statementFormat", "enum"),
        ({"calendar": "Lithuania"}, "calendar", "country"),
        ({"calendar": "XX"}, "calendar", "country"),
        ({"closed_on": date(2100, 1, 1)}, "closedOn", "range"),
    ],
)
def test_what_breaks_a_rule_is_named_by_its_field(
    app: Flask, people: People, changes: dict[str, Any], field: str, rule: str
) -> None:
    bank = bank_account()
    with pytest.raises(Invalid) as caught:
        services.ask_to_change(bank.id, entry=entry(**changes), reason="x", by=people.actor(Role.TREASURER))
    assert (field, rule) in [(error.field, error.rule) for error in caught.value.errors]


def test_nothing_is_asked_where_nothing_changes(app: Flask, people: People) -> None:
    view = registered()
    same = entry(designated_from=view.designated_from)
    with pytest.raises(Refused) as caught:
        services.ask_to_change(view.id, entry=same, reason="x", by=people.actor(Role.TREASURER))
    assert caught.value.code == "nothingChanges"


def test_an_auditor_asks_for_nothing(app: Flask, people: People) -> None:
    with pytest.raises(Forbidden):
        services.ask_to_change(bank_account().id, entry=SAFE, reason="x", by=people.actor(Role.AUDITOR))


# --- a new bank account ---

BANK = {"provider": "bank-beta", "name": "Bank Beta", "number": "LT12 1000 0111 0100 1000", "currency": "eur"}


def test_a_new_bank_account_comes_with_its_system_accounts_and_its_register_row(app: Flask, people: People) -> None:
    with transaction():
        request = services.ask_to_add(**BANK, entry=SAFE, reason="opened", by=people.actor(Role.TREASURER))
    assert queries.by_number(BANK["number"]) == []
    decided(people, request)
    [view] = queries.by_number("lt121000011101001000", "eur")
    assert view.id == request.object_id
    assert view.registered
    assert view.settlement_account_id and view.suspense_account_id and view.in_transit_account_id


def test_a_bank_account_that_is_there_or_asked_for_is_not_asked_for_again(app: Flask, people: People) -> None:
    treasurer = people.actor(Role.TREASURER)
    with transaction():
        request = services.ask_to_add(**BANK, entry=SAFE, reason="opened", by=treasurer)
    with pytest.raises(Conflict) as caught:
        services.ask_to_add(**BANK, entry=SAFE, reason="opened", by=treasurer)
    assert caught.value.code == "alreadyRequested"
    decided(people, request)
    with pytest.raises(Conflict) as caught:
        services.ask_to_add(**BANK, entry=SAFE, reason="opened", by=treasurer)
    assert caught.value.code == "bankAccountExists"


def test_one_that_was_made_meanwhile_makes_the_request_stale(app: Flask, people: People) -> None:
    with transaction():
        request = services.ask_to_add(**BANK, entry=SAFE, reason="opened", by=people.actor(Role.TREASURER))
        accounts.register_bank_account(**BANK, by=people.actor(Role.TREASURER))
    assert decided(people, request).state == "stale"


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("number", "LT13 1000 0111 0100 1000", "iban"),
        ("number", "", "pattern"),
        ("number", "12'; DROP TABLE bank_account --", "pattern"),
        ("number", "9" * 35, "pattern"),
        ("provider", "Bank Beta", "pattern"),
        ("name", " ", "length"),
        ("currency", "xxx", "enum"),
    ],
)
def test_a_wrong_bank_account_is_refused_by_field(
    app: Flask, people: People, field: str, value: str, rule: str
) -> None:
    with pytest.raises(Invalid) as caught:
        services.ask_to_add(
            **{**BANK, field: value}, entry=entry(pool=None), reason="x", by=people.actor(Role.TREASURER)
        )
    errors = [(error.field, error.rule) for error in caught.value.errors]
    assert (field, rule) in errors
    assert ("pool", "required") in errors


# --- closing ---


def test_a_bank_account_with_money_on_it_is_not_closed(app: Flask, people: People, money_at: Any) -> None:
    view = registered()
    money_at(view, 100)
    wanted = entry(designated_from=view.designated_from, closed_on=clock.calendar().today())
    with pytest.raises(Refused) as caught:
        services.ask_to_change(view.id, entry=wanted, reason="x", by=people.actor(Role.TREASURER))
    assert caught.value.code == "accountNotEmpty"
    assert "1.00 EUR" in caught.value.message


def test_money_that_came_after_the_request_stops_the_closing(app: Flask, people: People, money_at: Any) -> None:
    view = registered()
    wanted = entry(designated_from=view.designated_from, closed_on=clock.calendar().today())
    request = asked(people, session().get_one(BankAccount, view.id), wanted)
    money_at(view, 100)
    with pytest.raises(Refused):
        decided(people, request)
    assert queries.account(view.id).closed_on is None


def test_a_closed_bank_account_is_listed_only_when_asked_for(app: Flask, people: People) -> None:
    view = registered()
    wanted = entry(designated_from=view.designated_from, closed_on=clock.calendar().today())
    decided(people, asked(people, session().get_one(BankAccount, view.id), wanted))
    assert view.id not in {each.id for each in queries.accounts()}
    assert view.id in {each.id for each in queries.accounts(include_closed=True)}
    assert ("eMoney", "eur") not in queries.pools()


# --- reading ---


def test_safeguarding_accounts_are_those_designated_on_the_day(app: Flask) -> None:
    first = registered(designated_from=date(2024, 3, 1))
    registered("settlement")
    registered("ownFunds")
    registered(pool="paymentServices")
    registered(currency="pln")
    assert queries.safeguarding("eMoney", "eur", date(2024, 2, 29)) == []
    assert [view.id for view in queries.safeguarding("eMoney", "eur", date(2024, 3, 1))] == [first.id]
    assert queries.pools() == [("eMoney", "eur"), ("eMoney", "pln"), ("paymentServices", "eur")]


def test_a_day_on_which_nothing_is_reconciled_is_named(app: Flask) -> None:
    ours, theirs = registered(calendar="LT"), registered(calendar="PL")
    assert queries.not_a_reconciliation_day(ours, date(2026, 3, 14)) == "Saturday"
    assert queries.not_a_reconciliation_day(ours, date(2026, 3, 11)) is not None
    assert queries.not_a_reconciliation_day(ours, date(2026, 3, 12)) is None
    # 11 November is a holiday in Poland only
    assert queries.not_a_reconciliation_day(ours, date(2026, 11, 11)) is None
    assert (queries.not_a_reconciliation_day(theirs, date(2026, 11, 11)) or "").endswith("(PL)")
    assert queries.previous_reconciliation_day(ours, date(2026, 3, 16)) == date(2026, 3, 13)
    assert queries.previous_reconciliation_day(theirs, date(2026, 11, 12)) == date(2026, 11, 10)


# --- pools of client accounts ---


@pytest.fixture
def client_account(app: Flask) -> Any:
    with transaction():
        owner = new_id()
        accounts.register_owner(owner)
        return accounts.open_account(type=AccountType.CLIENT, currency="eur", owner_id=owner, by=system())


def test_a_client_account_changes_its_pool_by_two_people(app: Flask, people: People, client_account: Any) -> None:
    treasurer = people.actor(Role.TREASURER)
    with transaction():
        request = services.ask_to_pool(client_account.id, pool="paymentServices", reason="x", by=treasurer)
    assert request.before == {"Pool": "E-money"}
    decided(people, request)
    assert queries.pool_of(client_account.id) == "paymentServices"
    with transaction():
        request = services.ask_to_pool(client_account.id, pool="eMoney", reason="x", by=treasurer)
    decided(people, request)
    assert queries.pool_of(client_account.id) == "eMoney"
    with pytest.raises(Refused) as caught:
        services.ask_to_pool(client_account.id, pool="eMoney", reason="x", by=treasurer)
    assert caught.value.code == "nothingChanges"


def test_an_old_approval_is_not_used_again(app: Flask, people: People, client_account: Any) -> None:
    treasurer = people.actor(Role.TREASURER)
    requests = []
    for pool in ("paymentServices", "eMoney"):
        with transaction():
            requests.append(services.ask_to_pool(client_account.id, pool=pool, reason="x", by=treasurer))
        decided(people, requests[-1])
    refused_by(
        "account_pool_changed_by_two",
        "UPDATE account_pool SET pool = 'paymentServices', approval_id = :first, since = now()",
        first=requests[0].id,
    )


# --- what the database refuses ---


def test_a_register_row_does_not_change_without_an_approval(app: Flask) -> None:
    view = registered()
    refused_by("treasury_account_changed_by_two",
               "UPDATE treasury_account SET purpose = 'settlement', designated_from = NULL, version = 2,"
               " approval_id = NULL WHERE bank_account_id = :id", id=view.id)  # fmt: skip
    same = "UPDATE treasury_account SET purpose = 'settlement' WHERE bank_account_id = :id"
    refused_by("treasury_account_versions_count_up", same, id=view.id)


def test_a_register_row_says_exactly_what_was_approved(app: Flask, people: People) -> None:
    view = registered()
    request = asked(people, session().get_one(BankAccount, view.id), entry(calendar="PL"))
    statement = (
        "UPDATE treasury_account SET calendar = :calendar, designated_from = '2024-01-02', version = 2,"
        " approval_id = :request WHERE bank_account_id = :id"
    )
    # waiting
    refused_by("treasury_account_changed_by_two", statement, calendar="PL", request=request.id, id=view.id)
    decided(people, request, approve=False)
    refused_by("treasury_account_changed_by_two", statement, calendar="PL", request=request.id, id=view.id)
    request = asked(people, session().get_one(BankAccount, view.id), entry(calendar="PL"))
    decided(people, request)
    # used, and to something else than was approved
    again = statement.replace("version = 2", "version = 3")
    refused_by("treasury_account_changed_by_two", again, calendar="EE", request=request.id, id=view.id)
    refused_by("uq_treasury_account_version_approval", again, calendar="PL", request=request.id, id=view.id)


def test_the_application_adds_no_register_row_without_an_approval(app: Flask) -> None:
    bank = bank_account()
    refused_by("treasury_account_changed_by_two",
               "INSERT INTO treasury_account (bank_account_id, purpose, calendar, changed_at)"
               " VALUES (:id, 'ownFunds', 'LT', now())", id=bank.id)  # fmt: skip


def test_versions_are_evidence(app: Flask) -> None:
    view = registered()
    for statement in ("UPDATE treasury_account_version SET purpose = 'ownFunds'", "DELETE FROM treasury_account",
                      "DELETE FROM treasury_account_version"):  # fmt: skip
        with pytest.raises(sa.exc.DBAPIError), session().begin_nested():
            session().execute(sa.text(statement))
    assert queries.account(view.id).version == 1


def test_only_client_accounts_are_put_into_pools(app: Flask) -> None:
    view = registered()
    install()
    with pytest.raises(sa.exc.IntegrityError), session().begin_nested():
        session().add(AccountPool(account_id=view.suspense_account_id, pool="eMoney", since=clock.now()))
        session().flush()


def test_the_calendar_of_another_country_is_counted_with_ours(app: Flask) -> None:
    view = registered(calendar="PL")
    day = clock.calendar().today()
    back = queries.previous_reconciliation_day(view, day)
    assert back < day
    assert queries.not_a_reconciliation_day(view, back) is None
    assert all(
        queries.not_a_reconciliation_day(view, back + timedelta(days=gap)) for gap in range(1, (day - back).days)
    )


def test_the_owner_of_the_tables_lays_down_first_rows_and_changes_none(
    app: Flask, configured: settings.Settings
) -> None:
    url = configured.migration_database_url.replace("+psycopg", "", 1)
    bank = new_id()
    with psycopg.connect(url) as connection, contextlib.suppress(_TakenBack):
        with connection.transaction():
            connection.execute(
                "INSERT INTO bank_account (id, provider, name, number, currency, created_at)"
                " VALUES (%s, 'bank-test', 'Test', 'LAID-DOWN', 'eur', now())", [bank]
            )  # fmt: skip
            connection.execute(
                "INSERT INTO treasury_account (bank_account_id, purpose, calendar, changed_at)"
                " VALUES (%s, 'ownFunds', 'LT', now())", [bank]
            )  # fmt: skip
            [kept] = connection.execute(
                "SELECT version, approval_id FROM treasury_account_version WHERE bank_account_id = %s", [bank]
            ).fetchall()
            assert kept == (1, None)
            with pytest.raises(psycopg.errors.IntegrityConstraintViolation), connection.transaction():
                connection.execute("UPDATE treasury_account SET calendar = 'PL', version = 2")
            raise _TakenBack


class _TakenBack(Exception):
    """Nothing of it stays."""
