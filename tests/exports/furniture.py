"""What the furnished house lacks so that every list has rows: planted past the guards, as somebody would who is the
server itself. Texts begin as formulas do, and are longer than a cell shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from dashboard import clock
from dashboard.audit import sealing
from dashboard.database import db, new_id
from tests.conftest import Databases
from tests.furnished import Furnished

FORMULA = '=HYPERLINK("http://evil.example","pay here")'
Plant = Callable[..., Any]


def _planter(connection: psycopg.Connection[Any]) -> Plant:
    """`plant("table", column=value)`; a table with an `id` gets one."""
    connection.execute("SET session_replication_role = replica")

    def plant(table: str, *, of: str | None = "id", **values: Any) -> Any:
        row = {of: new_id(), **values} if of else values
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join([sql.Placeholder()] * len(row)),
            ),
            [Jsonb(value) if isinstance(value, dict) else value for value in row.values()],
        )
        return row.get(of) if of else None

    return plant


def add(house: Furnished, databases: Databases) -> dict[str, str]:
    """Fill what is empty. Gives what stands in addresses: `client` (one with documents), `opening`."""
    name = sa.make_url(house.settings.migration_database_url or "").database
    admin = sa.make_url(databases.admin.replace("postgresql://", "postgresql+psycopg://")).set(database=name)
    url = admin.render_as_string(hide_password=False).replace("postgresql+psycopg://", "postgresql://")
    with house.app.app_context(), psycopg.connect(url, row_factory=dict_row) as connection:
        today = clock.calendar().today()

        def rows(query: str) -> list[dict[str, Any]]:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

        found = {
            "accounts": rows(
                "SELECT id, currency, owner_id FROM account WHERE type = 'client' AND owner_id IS NOT NULL ORDER BY id"
                " LIMIT 6"
            ),
            "requests": rows(
                "SELECT id FROM approval_request WHERE state IN ('requested', 'rejected') ORDER BY id LIMIT 3"
            ),
            "staff": rows("SELECT id, name, role FROM staff_member ORDER BY role"),
            "banks": rows(
                "SELECT a.id, b.id AS other, a.currency FROM bank_account a JOIN bank_account b"
                " ON b.currency = a.currency AND b.id > a.id ORDER BY a.id LIMIT 1"
            ),
            "day": rows("SELECT max(day) AS day FROM business_day WHERE state = 'closed'"),
            "client": rows("SELECT client_id FROM client_document GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"),
        }
        plant = _planter(connection)
        client = found["client"][0]["client_id"]
        # a flag that not everybody may know of, on a client that all may read
        flagged = found["accounts"][0]["owner_id"]
        plant(
            "client_flag", client_id=flagged, code="verificationRejected", severity=3, field="", opened_at=clock.now()
        )
        connection.execute("UPDATE client SET open_flags = open_flags + 1, worst_flag = 3 WHERE id = %s", [flagged])
        _transfers(plant, found, client, today)
        opening = _ledger(plant, found)
        _treasury(plant, found, today)
        _people(plant, found)
        connection.commit()
        sealing.seal_all()
        db.session.remove()
    return {"client": str(client), "opening": str(opening)}


def _transfers(plant: Plant, found: dict[str, Any], client: Any, today: date) -> None:
    moment = datetime(2026, 3, 12, 22, 15, 7, tzinfo=UTC)
    for number, state in enumerate(("requested", "active", "ended")):
        account = found["accounts"][number]
        ended = {"ended_at": moment, "ended_by": "Rasa Kazlauskė"} if state == "ended" else {}
        plant(
            "payer_rule", payer_key=f"LT60101001234567890{number}", payer_name=FORMULA if number else "Ilves OÜ",
            currency=account["currency"], client_id=account["owner_id"], account_id=account["id"], state=state,
            reason="+1 invoice a month since 2024", approval_id=found["requests"][number]["id"],
            created_at=moment, created_by="Rasa Kazlauskė", **ended,
        )  # fmt: skip
    plant(
        "verification_comparison", started_at=moment, finished_at=moment + timedelta(minutes=4), applicants=1_204,
        applied=7, differing=3, unanswered=2, resolved=5, by_kind="staff", by_id=found["staff"][0]["id"],
        by_name=found["staff"][0]["name"],
    )  # fmt: skip
    filters = ({}, {"about": "=1+1", "received_from": "2026-03-01T00:00:00+00:00"}, {"state": "waiting"})
    ends = (
        ("succeeded", {"applicants": 1_204, "failed": 2}, None), ("failed", None, "+It stopped."),
        ("canceled", None, None),
    )  # fmt: skip
    for number, (chosen, (state, result, failure)) in enumerate(zip(filters, ends, strict=True)):
        plant(
            "background_job", kind="verification.replay", state=state, arguments={"filter": chosen, "single": True},
            result=result, failure=failure, done=number * 40, total=1_204, attempts=1, asked_by_kind="staff",
            asked_by_id=found["staff"][0]["id"], asked_by_name=found["staff"][0]["name"], cancel_asked=False,
            asked_at=moment + timedelta(minutes=number), started_at=moment + timedelta(minutes=number, seconds=1),
            finished_at=moment + timedelta(minutes=number, seconds=9),
        )  # fmt: skip
    plant("provider", of=None, key="bank-files", name="Bank of files", kind="files", created_at=moment)
    refused = {"count": 1, "entries": [{"place": "7", "reference": "@REF 1", "reason": "The currency is not known."}]}
    for number, (direction, state, reason, failures) in enumerate((
        ("in", "done", None, {}), ("in", "done", None, refused), ("in", "failed", "It is no XML.", {}),
        ("out", "done", None, {}),
    )):  # fmt: skip
        plant(
            "provider_file", provider="bank-files", direction=direction, name=f"-camt.{number}.xml",
            format="camt.054" if direction == "in" else "pain.001", sha256=f"{number:064x}", size=1_204, state=state,
            reason=reason, entries=number * 1_100, failures=failures, created_at=moment + timedelta(minutes=number),
            finished_at=moment + timedelta(minutes=number + 1),
        )  # fmt: skip
    plant("fx_margin", client_id=client, basis_points=45, changed_at=moment)
    plant(
        "calendar_day",
        of=None,
        country="LT",
        day=date(2026, 12, 28),
        working=False,
        name="@Bridge day",
        changed_by=found["staff"][0]["id"],
    )
    for number, name in enumerate(("=cmd|' /C calc'!A0", "Bjørn Ångström")):
        plant(
            "recipient", client_id=client, name=name, name_key=name.casefold(), account_format="iban",
            account_key=f"DE8937040044053201300{number}", bic="COBADEFF", bank_name=None, country="DE",
            visible=bool(number), created_at=moment, created_by_kind="client", created_by_id=None,
        )  # fmt: skip


def _ledger(plant: Plant, found: dict[str, Any]) -> Any:
    moment = datetime(2026, 3, 12, 22, 15, 7, tzinfo=UTC)
    by = {"by_kind": "staff", "by_id": found["staff"][0]["id"], "by_name": found["staff"][0]["name"]}
    checks = [
        plant(
            "balance_check", scope=scope, started_at=moment + timedelta(hours=number), finished_at=finished,
            accounts=1_204, differences=differences, **by,
        )
        for number, (scope, finished, differences) in enumerate((
            ("full", moment + timedelta(minutes=1), 2), ("touched", moment + timedelta(hours=1, minutes=2), 0),
            ("touched", None, 0),
        ))
    ]  # fmt: skip
    for number, (state, posted, held) in enumerate((("open", 1_234_50, 0), ("open", -5, 20), ("gone", 7, 0))):
        plant(
            "balance_finding", check_id=checks[0], account_id=found["accounts"][number]["id"], found_at=moment,
            stored_posted=5_000 + posted, stored_held=held, rebuilt_posted=5_000, rebuilt_held=0, state=state,
            closed_at=moment + timedelta(days=1) if state == "gone" else None,
        )  # fmt: skip
    totals = {
        "eur": {"accounts": 2, "credits": 123_456, "debits": 123_456},
        "usd": {"accounts": 1_002, "credits": 99, "debits": 99},
    }
    opening = plant(
        "opening_import", file_name="=old.csv", sha256="a" * 64, rows=3, totals=totals, state="read",
        created_at=moment, created_by="Rasa Kazlauskė", approval_id=found["requests"][0]["id"],
    )  # fmt: skip
    for line, account in enumerate(found["accounts"][:3], start=2):
        plant(
            "opening_row", of=None, import_id=opening, line=line, account_id=account["id"],
            currency=account["currency"], amount_minor=123_456 * (1 if line % 2 else -1),
        )  # fmt: skip
    return opening


def _treasury(plant: Plant, found: dict[str, Any], today: date) -> None:
    moment, day = datetime(2026, 3, 12, 22, 15, 7, tzinfo=UTC), found["day"][0]["day"]
    account, request, person = found["accounts"][3], found["requests"][1]["id"], found["staff"][0]
    plant("account_pool", of=None, account_id=account["id"], pool="paymentServices", since=moment, approval_id=request)
    plant(
        "treasury_cover", pool="eMoney", currency="eur", kind="guarantee", issuer="+Surety SE", reference="@G-1",
        amount_minor=5_000_000_00, valid_from=today - timedelta(days=90), valid_to=today + timedelta(days=275),
        review_on=today + timedelta(days=30), changed_at=moment, approval_id=request,
    )  # fmt: skip
    plant(
        "treasury_alert", check_key="zeroSum", pool="eMoney", currency="eur", cause="planted",
        says="=The books of EUR do not add up: 12.50", times=1_003, first_at=moment,
        last_at=moment + timedelta(hours=3),
    )  # fmt: skip
    plant(
        "treasury_day", pool="eMoney", currency="gbp", day=day, version=7, state="prepared", opened_at=moment,
        prepared_at=moment, prepared_by_id=person["id"], prepared_by=person["name"],
    )  # fmt: skip
    bank = found["banks"][0]
    plant(
        "own_movement", kind="topUp", from_bank_account_id=bank["id"], to_bank_account_id=bank["other"],
        currency=bank["currency"], amount_minor=1_250_000_00, way="atBank", reference="OWN-000001",
        state="requested", created_at=moment, maker_id=person["id"], maker_name=person["name"],
    )  # fmt: skip


def _people(plant: Plant, found: dict[str, Any]) -> None:
    moment = datetime(2026, 3, 12, 22, 15, 7, tzinfo=UTC)
    plant(
        "staff_invitation", email="ina@test.example", email_key="ina@test.example", name="=Ina Invited",
        role="officer", invited_by=found["staff"][0]["id"], approval_id=found["requests"][2]["id"],
        created_at=moment, link_mailed=False, countersign_failures=0,
    )  # fmt: skip
    for number, (state, failure) in enumerate((("succeeded", None), ("failed", "=The disk is full."))):
        plant(
            "job_run", job="expire-approvals", scheduled_at=moment + timedelta(hours=number), state=state,
            attempts=1, started_at=moment + timedelta(hours=number),
            finished_at=moment + timedelta(hours=number, seconds=3), failure=failure,
            asked_by_kind="system", asked_by="the clock",
        )  # fmt: skip
