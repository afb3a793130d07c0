"""Personal data is declared column by column, and a purge leaves none of it anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from psycopg import sql

from dashboard.access import tokens
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import DEFAULT_SCOPES, Audience, Role
from dashboard.approvals import services as approvals
from dashboard.clients import services
from dashboard.clients.deletion_models import DeletionRequest
from dashboard.clients.models import Client
from dashboard.clients.personal_data import NOT_PERSONAL
from dashboard.clients.retention import HoldCode
from dashboard.clients.services import deletion as deleting
from dashboard.clients.vocabulary import BlockCode
from dashboard.database import new_id, session, transaction
from tests.conftest import People
from tests.onboarding.telling import FINAL, event, told
from tests.onboarding.test_import_companies import COMPANY

#: a word that nothing else in the house says; ASCII, as imports want it
MARK = "Zyxomarkov"
MARK_DATE = "1977-07-07"
#: only these types can say something of a person
SAYS_SOMETHING = ("text", "character varying", "jsonb", "json", "date", "ARRAY", "bytea", "inet")
LONG_AGO = datetime.now(UTC) - timedelta(days=6 * 366)

COLUMNS = """
SELECT c.table_name, c.column_name, c.data_type, c.is_nullable = 'YES',
       c.column_default IS NOT NULL OR c.is_identity = 'YES' OR c.is_generated = 'ALWAYS'
FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position
"""


def test_every_column_is_declared_personal_or_not(app: Flask) -> None:
    declared = {(table, column) for table, columns in NOT_PERSONAL.items() for column in columns}
    register = set(session().execute(sa.text("SELECT table_name, column_name FROM personal_column")).tuples())
    gone = {table for table, column in register if column == "_row"}
    rows = session().execute(sa.text(COLUMNS)).tuples().all()
    speaking = {(table, column) for table, column, kind, _, _ in rows if kind in SAYS_SOMETHING}
    undeclared = {pair for pair in speaking if pair not in declared | register and pair[0] not in gone}
    assert not undeclared, "declare them: personal() in a migration, or NOT_PERSONAL in clients/personal_data.py"
    assert not declared & register, "both personal and not"
    gone_now = declared - speaking
    assert not gone_now, "declared, and not there"
    there = {(table, column) for table, column, *_ in rows}
    assert not {pair for pair in register if pair[1] != "_row"} - there


class Filler:
    """Writes rows of any table: what is personal in it says the mark, everything else is as plain as it may be."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        #: table and row, as they were written
        self.written: list[tuple[str, str]] = []
        #: of the client that is purged
        self.life: Life
        self.columns: dict[str, list[tuple[str, str, bool, bool]]] = {}
        for table, *column in connection.execute(COLUMNS).fetchall():
            self.columns.setdefault(table, []).append(tuple(column))  # type: ignore[arg-type]
        self.personal: set[tuple[str, str]] = set(
            connection.execute("SELECT table_name, column_name FROM personal_column").fetchall()
        )

    def _marked(self, table: str, column: str, kind: str) -> Any:
        return {
            "jsonb": json.dumps({"said": f"{MARK} {table}.{column}", "list": [MARK]}),
            "date": MARK_DATE,
            "ARRAY": [MARK],
            "bytea": MARK.encode(),
            "boolean": True,
            "bigint": 1,
            "integer": 1,
            "smallint": 1,
            "numeric": 1,
            "uuid": new_id(),
            "timestamp with time zone": LONG_AGO,
        }.get(kind, f"{MARK} {table}.{column}")

    def _plain(self, kind: str) -> Any:
        return {
            "uuid": new_id(), "jsonb": "{}", "date": "2000-01-01", "boolean": False, "bytea": b"x", "ARRAY": [],
            "timestamp with time zone": LONG_AGO, "text": "x", "character varying": "x",
        }.get(kind, 1)  # fmt: skip

    def row(self, table: str, **known: Any) -> None:
        goes = (table, "_row") in self.personal
        values = dict(known)
        for column, kind, nullable, has_default in self.columns[table]:
            if column in values:
                continue
            marked = (table, column) in self.personal or (
                goes and kind in SAYS_SOMETHING and column not in NOT_PERSONAL.get(table, {})
            )
            if marked:
                values[column] = self._marked(table, column, kind)
            elif not nullable and not has_default:
                values[column] = self._plain(kind)
        written = self.connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING to_jsonb({})::text").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join(sql.Placeholder() * len(values)),
                sql.Identifier(table),
            ),
            list(values.values()),
        ).fetchone()
        assert written is not None
        self.written.append((table, written[0]))


def marked_company() -> dict[str, Any]:
    """ON-02 with the mark in every text that takes one."""

    def mark(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: mark(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [mark(inner, name) for inner in value]
        keeps = {
            "type", "riskLevel", "country", "countryOfRegistration", "taxResidencyCountry", "industry", "turnover",
            "companyType", "payInsCountries", "payOutsCountries", "purposesAccountOpening", "residenceCountry",
            "citizenshipCountry", "issuedCountryCode", "incorporationCountryCode", "onboardingId",
        }  # fmt: skip
        if not isinstance(value, str) or name in keeps:
            return value
        if name in {"birthDate", "companyRegistrationDate", "issuedDate"}:
            return MARK_DATE
        if name == "expirationDate":
            return "2099-01-01"
        if name == "email":
            return f"{MARK}@example.com"
        if name == "phoneNumber":
            return f"+37{MARK}"
        return MARK

    marked: dict[str, Any] = mark(COMPANY)
    return marked


def decided(wish: Any, senior: Actor) -> None:
    with transaction():
        assert approvals.decide(wish.id, approve=True, reason=f"{MARK} decides", by=senior).state == "approved"


def live_through(committed: Flask, officer: Actor, senior: Actor) -> tuple[UUID, UUID]:
    """A company's whole life by the product's own ways, the mark in every word; gives client and open request."""
    with transaction():
        _, partner = tokens.create(
            audience=Audience.INTEGRATION, scopes=DEFAULT_SCOPES[Audience.INTEGRATION], name="import"
        )
    http = committed.test_client()
    made = http.post(
        "/integration/clients/companies", json=marked_company(), headers={"Authorization": f"Bearer {partner}"}
    )
    assert made.status_code == 200, made.get_data(as_text=True)
    client_id = UUID(made.get_json()["clientId"])
    with transaction():
        _, app = tokens.create(
            audience=Audience.FRONTOFFICE, scopes=DEFAULT_SCOPES[Audience.FRONTOFFICE], name=f"app of {MARK}",
            client_id=client_id,
        )  # fmt: skip
        services.add_note(client_id, body=f"{MARK} called.", by=officer)
        block = services.block(
            client_id, code=BlockCode.FRAUD, comment=f"{MARK} paid twice", legal_reference=MARK, client_text=MARK,
            by=officer,
        )  # fmt: skip
    with transaction():
        wish = services.ask_to_unblock(block.id, reason=f"{MARK} is honest", by=officer)
    decided(wish, senior)
    with transaction():
        hold = services.place_hold(client_id, code=HoldCode.LITIGATION, reference=f"Suit of {MARK}", by=officer)
    with transaction():
        wish = services.ask_to_end_hold(hold.id, reason=f"{MARK} won", by=officer)
    decided(wish, senior)
    asked = http.post(
        "/Client/deletion-notifications", json={"reason": f"{MARK} leaves"},
        headers={"Authorization": f"Bearer {app}", "Idempotency-Key": "leave"},
    )  # fmt: skip
    assert asked.status_code == 200, asked.get_data(as_text=True)
    request_id = UUID(asked.get_json()["value"]["id"])
    with transaction():
        services.close(client_id, reason=f"{MARK} left", by=officer)
    with transaction():
        wish = services.ask_to_purge(request_id, reason=f"Nothing of {MARK} is left", by=officer)
    decided(wish, senior)
    return client_id, request_id


@dataclass(frozen=True)
class Life:
    """Ids of a client's rows."""

    account: UUID
    incoming: UUID
    outgoing: UUID
    request: UUID
    applicant: str


def years_of_money(fill: Filler, client_id: UUID, tag: str = "1") -> Life:
    """What the domains above wrote in all those years: one row in each table that the register names."""
    account, payment, transfer, outgoing, request, message = (new_id() for _ in range(6))
    fill.row("account", id=account, owner_id=client_id, type="client", currency="eur", status="closed",
             number=f"LT00{tag}", closed_at=LONG_AGO)  # fmt: skip
    fill.row("payment", id=payment, parent_type="transfer", state="posted", maker_kind="token", posted_at=LONG_AGO,
             booking_date="2000-01-01", value_date="2000-01-01")  # fmt: skip
    fill.row("payment_state_change", payment_id=payment, from_state="draft", to_state="posted", by_kind="token")
    fill.row("ledger_transaction", payment_id=payment, debtor_account_id=account, currency="eur", state="posted",
             posted_at=LONG_AGO, booking_date="2000-01-01", value_date="2000-01-01")  # fmt: skip
    row = fill.connection.execute(
        "SELECT id FROM ledger_transaction WHERE payment_id = %s", [payment]
    ).fetchone()  # fmt: skip
    assert row is not None
    match, entry, line, difference = (new_id() for _ in range(4))
    fill.row("statement_entry", id=entry, currency="eur", status="booked", standing=True)
    fill.row("statement_line", id=line, entry_id=entry, currency="eur", amount_minor=1, matchable=True)
    fill.row("recon_match", id=match, currency="eur", state="undone", found_by="hand", amount_minor=1, lines=1,
             transactions=1, made_by_kind="staff", undone_at=LONG_AGO)  # fmt: skip
    fill.row("match_line", match_id=match, position=1, line_id=line, live=True)
    fill.row("match_transaction", match_id=match, position=1, transaction_id=row[0], live=True)
    fill.row("recon_break", id=difference, currency="eur", kind="missingInLedger", state="open", line_id=line,
             bank_minor=1, bank_on="2000-01-01", cause="unknown")  # fmt: skip
    fill.row("break_event", break_id=difference, kind="note", by_kind="staff")
    common = {"client_id": client_id, "account_id": account, "currency": "eur", "parent_type": "transfer",
              "payment_id": payment, "maker_kind": "token"}  # fmt: skip
    fill.row("transfer", id=transfer, kind="incoming", status="completed", **common)
    fill.row("transfer", id=outgoing, kind="outgoing", status="completed", type="sepa",
             end_to_end_id=f"E2E-{tag}", provider="x", **common)  # fmt: skip
    fill.row("transfer_status_change", transfer_id=transfer, to_status="completed", by_kind="token")
    fill.row("transfer_check", transfer_id=outgoing, code="funds", outcome="passed")
    fill.row("transfer_document", transfer_id=outgoing, client_id=client_id, file_name=f"{MARK} {tag}")
    fill.row("recipient", client_id=client_id, account_format="iban", created_by_kind="token")
    fill.row("client_reference", client_id=client_id, currency="eur", reference_key=f"{MARK.upper()}{tag}")
    fill.row("provider_message", transfer_id=transfer, direction="in")
    fill.row("provider_message", reference=f"E2E-{tag}", direction="out")
    # a credit is known by the bank's reference, and its request names the message
    fill.row("provider_message", id=message, reference=f"BANK-{tag}", direction="in")
    fill.row("incoming_request", id=request, transfer_id=transfer, state="processed", currency="eur", amount_minor=1,
             message_id=message, provider_reference=f"first {tag}")  # fmt: skip
    fill.row(
        "incoming_request",
        linked_id=request,
        provider_reference=f"second {tag}",
        state="linked",
        currency="eur",
        amount_minor=1,
    )
    fill.row("incoming_correction", request_id=request, by_kind="staff")
    fill.row("receipt", transfer_id=transfer, currency="eur", cause="undone", state="kept", keep_until="2000-01-01",
             remaining_minor=1)  # fmt: skip
    fill.row("receipt_event", transfer_id=transfer, kind="note", by_kind="staff")
    fill.row("receipt_file", transfer_id=transfer)
    fill.row("screening", transfer_id=transfer, result="clear", by_kind="staff")
    fill.row("disposition", transfer_id=transfer, client_id=client_id, account_id=account, kind="assign",
             state="dropped", currency="eur", made_by_kind="staff")  # fmt: skip
    fill.row("payer_rule", client_id=client_id, account_id=account, currency="eur", state="ended", ended_at=LONG_AGO)
    applicant, document, decision = f"applicant-{new_id()}", new_id(), new_id()
    fill.row("client_verification", client_id=client_id, provider="sumsub", state="pending", applicant_id=applicant)
    fill.row("verification_decision", client_id=client_id, applicant_id=applicant, outcome="rejected",
             effect="heldBack", applied=True)  # fmt: skip
    fill.row("sumsub_applicant", client_id=client_id, applicant_id=applicant)
    event = {"source": "webhook", "verdict": "accepted", "effect": "unreadable", "processed_at": LONG_AGO}
    fill.row("sumsub_event", client_id=client_id, digest=f"a{tag}", applicant_id=applicant, **event)
    fill.row("sumsub_event", digest=f"b{tag}", applicant_id=applicant, **event)
    fill.row("sumsub_event", digest=f"c{tag}", external_user_id=str(client_id).upper(), **event)
    fill.row("verification_difference", client_id=client_id, applicant_id=applicant, field="level")
    fill.row("client_mark", client_id=client_id, kind="pep", list_name="x", ended_at=LONG_AGO, ended_by=new_id(),
             ended_by_name="x")  # fmt: skip
    fill.row("client_review", client_id=client_id, outcome="continue", risk_before=1, risk_assessed=1, risk_after=1,
             reviewed_on="2000-01-01", next_on="2000-06-01", period_months=12)  # fmt: skip
    fill.row("client_risk_change", client_id=client_id, risk_after=1, by_kind="staff", cause="changed")
    fill.row("client_document", id=document, client_id=client_id, sha256="0" * 64, media_type="image/png",
             category="identity", state="accepted", decision_id=decision, uploaded_by_kind="token",
             erased_at=None)  # fmt: skip
    fill.row("client_document_decision", id=decision, document_id=document, decision="accepted",
             decided_by_kind="staff", category="identity", erased_at=None)  # fmt: skip
    if tag == "1":
        fill.row("individual", client_id=client_id, document_type="passport")
    fill.row("client_flag", client_id=client_id, severity=1, code="pep", field="x", closed_at=LONG_AGO)
    fill.row("deletion_request", client_id=client_id, state="refused", channel="letter", requested_by_kind="token",
             refusal_ground="unfounded", closed_at=LONG_AGO)  # fmt: skip
    event = new_id()
    app = fill.connection.execute("SELECT id FROM api_token WHERE client_id = %s", [client_id]).fetchone()
    assert app is not None
    fill.row("audit_event", id=event, client_id=client_id, actor_kind="token", actor_id=app[0], object_type="client")
    fill.row("audit_payload", event_id=event)
    fill.row("audit_actor_salt", event_id=event)
    fill.row("approval_request", client_id=client_id, kind="client.activate", object_type="client", state="rejected",
             maker_kind="staff", closed_at=LONG_AGO, decided_by=new_id(), decider_name="x",
             decider_senior=True)  # fmt: skip
    return Life(account, transfer, outgoing, request, applicant)


def where_it_stands(connection: psycopg.Connection[Any], fill: Filler) -> set[str]:
    """Every column in which the mark, or the marked date, is still to be read."""
    found = set()
    for table, columns in fill.columns.items():
        for column, kind, *_ in columns:
            if kind not in SAYS_SOMETHING:
                continue
            said = sql.SQL("convert_from({}, 'UTF8')" if kind == "bytea" else "{}::text").format(sql.Identifier(column))
            if kind == "bytea":
                said = sql.SQL("encode({}, 'escape')").format(sql.Identifier(column))
            count = connection.execute(
                sql.SQL("SELECT count(*) FROM {} WHERE {} ILIKE {} OR {} LIKE {}").format(
                    sql.Identifier(table), said, sql.Literal(f"%{MARK}%"), said, sql.Literal(f"%{MARK_DATE}%")
                )
            ).fetchone()
            if count and count[0]:
                found.add(f"{table}.{column}")
    return found


@pytest.fixture
def lived(committed: Flask, admin: psycopg.Connection[Any]) -> tuple[UUID, UUID, Filler]:
    people = People()
    officer, senior = people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER)
    client_id, request_id = live_through(committed, officer, senior)
    fill = Filler(admin)
    fill.life = years_of_money(fill, client_id)
    for statement in (
        "UPDATE client SET closed_at = now() - interval '6 years' WHERE id = %s",
        "UPDATE deletion_request SET purge_from = current_date - 1 WHERE client_id = %s AND purge_from IS NOT NULL",
        "UPDATE client_document SET keep_until = current_date - 1 WHERE client_id = %s",
    ):
        admin.execute(statement, [client_id])
    session().expire_all()
    return client_id, request_id, fill


def test_a_purge_leaves_no_word_of_the_client_anywhere(
    committed: Flask, admin: psycopg.Connection[Any], lived: tuple[UUID, UUID, Filler]
) -> None:
    client_id, request_id, fill = lived
    before = where_it_stands(admin, fill)
    # each column that the register empties held the mark, or the test would prove nothing of it
    said = {(t, c) for t, c in fill.personal if c != "_row"}
    speaks = {(t, c) for t, columns in fill.columns.items() for c, kind, *_ in columns if kind in SAYS_SOMETHING}
    never = {f"{t}.{c}" for t, c in said & speaks} - before
    assert never == NEVER_MARKED
    money = admin.execute("SELECT count(*), sum(amount_minor) FROM ledger_transaction").fetchone()
    events = admin.execute("SELECT count(*) FROM audit_event").fetchone()

    figures = services.purge_due(by=system("retention"), transaction=transaction)

    assert figures == {"purged": 1, "waiting": 0, "failed": 0}
    assert where_it_stands(admin, fill) == set()
    folder = Path(committed.extensions["countinghouse.settings"].instance_path)
    assert not [file for file in folder.rglob("*") if file.is_file() and MARK.encode() in file.read_bytes()]
    assert admin.execute("SELECT count(*), sum(amount_minor) FROM ledger_transaction").fetchone() == money
    left = admin.execute("SELECT count(*) FROM audit_event").fetchone()
    assert left and events and left[0] == events[0] + 2, "the events are whole; purge and document are told"
    erased = admin.execute(
        "SELECT bool_and(p.salt = '' AND p.before IS NULL AND p.after IS NULL) FROM audit_payload p"
        " JOIN audit_event e ON e.id = p.event_id WHERE e.client_id = %s",
        [client_id],
    ).fetchone()
    assert erased == (True,)
    client = session().get(Client, client_id)
    assert client is not None and client.purged_at is not None and client.restricted_at is None
    stored = session().get(DeletionRequest, request_id)
    assert stored is not None and stored.state == "purged"
    # once more does nothing
    assert services.purge_due(by=system("retention"), transaction=transaction) == {
        "purged": 0,
        "waiting": 0,
        "failed": 0,
    }

    machine = committed.test_client()
    with transaction():
        _, secret = tokens.create(audience=Audience.SYSTEM, scopes=DEFAULT_SCOPES[Audience.SYSTEM], name="system")
    headers = {"Authorization": f"Bearer {secret}"}
    for method, path in (("GET", ""), ("PUT", ""), ("PUT", "/block")):
        answer = machine.open(f"/internal/Clients/{client_id}{path}", method=method, headers=headers,
                              **({"json": {}} if method == "PUT" else {}))  # fmt: skip
        assert answer.status_code == 404
        assert answer.get_json()["errors"][0]["metadata"]["code"] == "clientPurged"
    assert machine.get(f"/internal/Clients?text={client_id}", headers=headers).get_json()["items"] == []
    assert _pages_of_the_tombstone_open(committed, client_id)

    # what Sumsub tells afterwards finds nobody, and nothing of it is kept
    told(machine, event("applicantReviewed", client_id, 0, **FINAL, note=MARK))
    kept = admin.execute("SELECT body FROM sumsub_event ORDER BY id DESC LIMIT 1").fetchone()
    assert kept == (None,)
    asked = admin.execute(
        "SELECT count(*) FROM queue_item WHERE queue = 'verification' AND closed_at IS NULL"
    ).fetchone()  # fmt: skip
    assert asked == (0,)
    assert where_it_stands(admin, fill) == set()


def _pages_of_the_tombstone_open(committed: Flask, client_id: UUID) -> bool:
    from tests.conftest import open_session

    browser = open_session(committed, People().member(Role.SENIOR_OFFICER, "Second Reader"))
    for rest in ("", "?tab=related", "?tab=notes", "?tab=timeline", "?tab=money", "?tab=transfers", "/deletion"):
        page = browser.get(f"/clients/{client_id}{rest}")
        assert page.status_code == 200, rest
        assert MARK not in page.get_data(as_text=True)
    for listed in ("/approvals", "/approvals?state=all", "/transfers", "/clients", "/clients/deletions?state=purged"):
        assert browser.get(listed).status_code in {200, 404}, listed
    assert browser.get(f"/clients/{client_id}/edit").status_code == 404
    return True


#: personal by the register, and of a kind that the mark cannot be written into: words of lists, numbers
NEVER_MARKED = {
    "client.country",
    "company.company_type",
    "company.custom_options",
    "company.fund_flows",
    "company.industry",
    "company.pay_ins_countries",
    "company.pay_outs_countries",
    "company.purposes_account_opening",
    "company.registration_country",
    "company.tax_residency_country",
    "company.turnover",
    "individual.document_type",
}


def test_a_purge_that_is_killed_half_way_is_whole_the_next_time(
    committed: Flask, admin: psycopg.Connection[Any], lived: tuple[UUID, UUID, Filler], monkeypatch: pytest.MonkeyPatch
) -> None:
    client_id, _, fill = lived
    before = where_it_stands(admin, fill)
    calls = []

    def fails_once(client: UUID, by: Actor) -> Callable[[], object]:
        calls.append(client)
        if len(calls) == 1:
            raise OSError("the disk went away")
        return lambda: calls.append(client)

    monkeypatch.setitem(deleting._erasers, "test", fails_once)
    assert services.purge_due(by=system("retention"), transaction=transaction) == {
        "purged": 0,
        "waiting": 0,
        "failed": 1,
    }
    assert where_it_stands(admin, fill) == before, "nothing is half gone"
    assert services.purge_due(by=system("retention"), transaction=transaction)["purged"] == 1
    assert calls == [client_id, client_id, client_id], "asked twice, finished after the commit"
    assert where_it_stands(admin, fill) == set()
