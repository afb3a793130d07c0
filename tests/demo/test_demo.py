"""`flask demo load`: what it makes must be what the product itself could have made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.app import create_app
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import calendar, links, search
from dashboard.clients.approvals import KINDS
from dashboard.clients.folding import name_key, search_text
from dashboard.clients.models import Client, ClientBlock, ClientFlag, ClientLink, Company, Individual, RelatedIndividual
from dashboard.clients.services.upkeep import refresh_flags
from dashboard.clients.vocabulary import BlockCode
from dashboard.database import db, session
from dashboard.errors import Refused
from dashboard.home.demo_data import loading
from dashboard.home.demo_data.checking import broken_rules
from dashboard.ledger.models import Payment
from dashboard.queues.models import QueueItem
from dashboard.settings import Settings
from dashboard.staff import services as staff
from dashboard.staff.models import StaffMember

CLIENTS, TRANSACTIONS = 300, 1_500

type_of_row = tuple[object, ...]


def _connection(url: str) -> psycopg.Connection[type_of_row]:
    return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True, options="-c timezone=UTC")


@pytest.fixture(scope="module")
def loaded(databases, configured) -> Iterator[Settings]:  # type: ignore[no-untyped-def]
    """Settings of a database that was filled once; tests leave it as they found it."""
    app_url, owner_url = databases.clone("countinghouse_demo")
    chosen = replace(configured, database_url=app_url, migration_database_url=owner_url)
    loading.load(owner_url, chosen, clients=CLIENTS, transactions=TRANSACTIONS, seed=1)
    yield chosen
    databases.drop("countinghouse_demo")


@pytest.fixture
def demo(loaded: Settings) -> Iterator[Flask]:
    app = create_app(loaded)
    with app.app_context():
        yield app
        session().rollback()
        db.session.remove()
        db.engine.dispose()


def test_every_rule_holds_after_a_load(loaded: Settings) -> None:
    with _connection(loaded.migration_database_url or "") as connection:
        assert broken_rules(connection) == []


def test_a_broken_rule_is_named(loaded: Settings) -> None:
    with _connection(loaded.migration_database_url or "") as connection, connection.transaction(force_rollback=True):
        connection.execute("UPDATE client SET open_flags = open_flags + 1 WHERE id IN (SELECT id FROM client LIMIT 1)")
        assert "a client counts its open flags" in broken_rules(connection)


def test_there_is_every_status_and_much_to_see(demo: Flask) -> None:
    counts = dict(session().execute(sa.select(Client.status, sa.func.count()).group_by(Client.status)).all())
    assert set(counts) == {"inactive", "active", "blocked", "closed"}
    assert sum(counts.values()) == CLIENTS
    assert counts["active"] > CLIENTS / 2
    queues = set(session().scalars(sa.select(QueueItem.queue)))
    # on some days no client of so small a house has an open doubt
    flagged = session().scalar(sa.select(sa.exists().where(Client.open_flags > 0)))
    assert ("client-review" in queues) == flagged
    # nor is one of its payments under way every evening
    pending = session().scalar(sa.select(sa.exists().where(Payment.state == "pending")))
    assert ("held-transfers" in queues) == pending
    assert queues - {"client-review", "held-transfers"} == {
        "activation", "block-review", "client-reviews", "overdue-reviews",
    }  # fmt: skip
    assert len(set(session().scalars(sa.select(Client.country)))) > 10
    assert "requested" in set(session().scalars(sa.select(ApprovalRequest.state)))


def test_keys_and_search_text_are_those_of_the_folding(demo: Flask) -> None:
    for client in session().scalars(sa.select(Client)):
        company = session().get(Company, client.id)
        number = company.registration_number if company else None
        assert client.name_key == name_key(client.name)
        parts = (client.name, client.email, client.phone_number, number, client.external_id)
        assert client.search_text == search_text(*parts)


def test_links_are_those_that_saving_would_write(demo: Flask) -> None:
    for client in session().scalars(sa.select(Client)):
        related = list(session().scalars(sa.select(RelatedIndividual).where(RelatedIndividual.client_id == client.id)))
        wanted = {key: kind for kind, key in links.keys_of(client, session().get(Individual, client.id), related)}
        stored = session().scalars(sa.select(ClientLink).where(ClientLink.client_id == client.id))
        assert {link.key: link.kind for link in stored} == wanted


def test_looking_at_the_profiles_again_finds_no_other_flags(demo: Flask) -> None:
    query = sa.select(ClientFlag.client_id, ClientFlag.code, ClientFlag.field, ClientFlag.closed_at)
    before = set(session().execute(query).all())
    assert before
    for client in session().scalars(sa.select(Client)):
        refresh_flags(client, by=system())
    assert set(session().execute(query).all()) ^ before == set()


def test_waiting_requests_can_be_approved(demo: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = list(session().scalars(sa.select(ApprovalRequest).where(ApprovalRequest.state == "requested")))
    kinds = {request.kind for request in waiting}
    assert kinds <= {kind.key for kind in KINDS}
    assert "client.activate" in kinds
    assert all(request.expires_at > clock.now() for request in waiting)
    by_role = {member.email: member for member in session().scalars(sa.select(StaffMember))}
    for request in waiting:
        deciders = [by_role["senior.officer@demo.example"], by_role["second.senior.officer@demo.example"]]
        decider = next(member for member in deciders if member.id != request.maker_id)
        assert approvals.decide(request.id, approve=True, reason=None, by=staff.actor_of(decider)).state == "approved"


def test_a_client_is_found_without_its_accents(demo: Flask) -> None:
    accented = session().scalar(sa.select(Client).where(Client.name.like("%ž%")).limit(1))
    assert accented is not None
    plain = " ".join(reversed(name_key(accented.name).split()))
    order = search.Order()
    page = search.find(search.ClientFilter(text=plain), order=order, zone=calendar.calendar().zone, size=50)
    assert accented.id in [row.id for row in page.rows]


def test_block_reviews_are_due_on_business_days(demo: Flask) -> None:
    days = calendar.calendar()
    reviews = list(session().scalars(sa.select(ClientBlock.review_date).where(ClientBlock.lifted_at.is_(None))))
    assert reviews
    assert all(days.is_business_day(day) for day in reviews)


def test_a_hold_for_the_authorities_has_its_own_deadline(demo: Flask) -> None:
    hold = sa.and_(ClientBlock.code == BlockCode.STR_HOLD.value, ClientBlock.lifted_at.is_(None))
    item = sa.and_(QueueItem.cause == "str-hold", QueueItem.restricted)
    holds = set(session().scalars(sa.select(ClientBlock.id).where(hold)))
    assert set(session().scalars(sa.select(QueueItem.object_id).where(item))) == holds


def test_demo_sign_ins_work_with_the_demo_password(demo: Flask) -> None:
    for email, role in (("officer@demo.example", Role.OFFICER), ("auditor@demo.example", Role.AUDITOR)):
        assert staff.recognize(email=email, password="demo-password-1").role == role


def _fingerprint(url: str) -> list[object]:
    with _connection(url) as connection:
        return [
            connection.execute(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t").fetchone()
            for table in loading.COLUMNS
        ]


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(databases, loaded: Settings) -> None:  # type: ignore[no-untyped-def]
    first = _fingerprint(loaded.migration_database_url or "")
    for seed, same in ((1, True), (2, False)):
        _app_url, owner_url = databases.clone("countinghouse_demo_again")
        loading.load(owner_url, loaded, clients=CLIENTS, transactions=TRANSACTIONS, seed=seed)
        assert (_fingerprint(owner_url) == first) is same
        databases.drop("countinghouse_demo_again")


def test_a_large_load_gives_back_all_indexes_and_guards(
    databases,
    loaded: Settings,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    """The way of a large load, tried on a small one: in parcels, with constraints taken down and built again."""
    schema = (
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
        " WHERE relnamespace = 'public'::regnamespace UNION ALL"
        " SELECT concat(conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace UNION ALL"
        " SELECT concat(tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    )
    monkeypatch.setattr(loading, "LARGE", 10)
    monkeypatch.setattr(loading, "PARCEL", 100)
    _app_url, owner_url = databases.clone("countinghouse_demo_large")
    # a clone belongs to whoever cloned it; whoever builds indexes must be allowed to create in it
    databases.execute(f'ALTER DATABASE countinghouse_demo_large OWNER TO "{sa.make_url(owner_url).username}"')
    with _connection(owner_url) as connection:
        before = connection.execute(schema).fetchall()
        loading.load(owner_url, loaded, clients=CLIENTS, transactions=TRANSACTIONS, seed=1)
        assert connection.execute(schema).fetchall() == before
        # an index over rows that were changed before it was built is of no use to the rest of the load
        unusable = "SELECT indexrelid::regclass::text FROM pg_index WHERE indcheckxmin"
        assert connection.execute(unusable).fetchall() == []
        # each event waits for its seal once, though the trigger that puts it there rested
        waits = "SELECT count(*), count(DISTINCT event_id), (SELECT count(*) FROM audit_event) FROM audit_unsealed"
        assert len(set(connection.execute(waits).fetchone())) == 1
        assert connection.execute("SELECT count(*) FROM client").fetchone() == (CLIENTS,)
        assert broken_rules(connection) == []
    databases.drop("countinghouse_demo_large")


def test_a_second_load_is_refused_and_changes_nothing(loaded: Settings) -> None:
    with pytest.raises(Refused, match="holds clients already"):
        loading.load(loaded.migration_database_url or "", loaded, clients=1, seed=3)


def test_production_refuses_demo_data(loaded: Settings) -> None:
    with pytest.raises(Refused, match="ENVIRONMENT=production"):
        loading.load(loaded.migration_database_url or "", replace(loaded, environment="production"), clients=1, seed=1)


def test_the_command_says_in_one_sentence_that_the_database_is_not_empty(demo: Flask) -> None:
    answer = demo.test_cli_runner().invoke(args=["demo", "load", "--clients", "1"])
    assert answer.exit_code == 1
    assert answer.output.strip() == "Error: The database holds clients already; demo data goes only into an empty one."
