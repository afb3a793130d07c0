"""`flask demo statements`: what the demo's banks tell, which agrees with the ledger but for what is listed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from dashboard.app import create_app
from dashboard.database import db, session
from dashboard.errors import Refused
from dashboard.home.demo_data import loading
from dashboard.home.demo_data.statements import bookings, folder, mt940, planting, telling
from dashboard.home.demo_data.statements.bookings import Bank, Booking
from dashboard.home.demo_data.statements.planting import Kind
from dashboard.ledger.queries import balances
from dashboard.settings import Settings
from dashboard.transfers.providers.iso20022 import camt as reader
from tests.conftest import Browser, Databases

CLIENTS, TRANSACTIONS = 400, 9_000
OWNER = "Kontora Money UAB"


@pytest.fixture(scope="module")
def application(databases: Databases, configured: Settings) -> Iterator[Flask]:
    app_url, owner_url = databases.clone("countinghouse_demo_statements")
    chosen = replace(configured, database_url=app_url, migration_database_url=owner_url)
    loading.load(owner_url, chosen, clients=CLIENTS, transactions=TRANSACTIONS, seed=1)
    app = create_app(chosen)
    app.test_client_class = Browser
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False, RATELIMIT_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    yield app
    with app.app_context():
        db.engine.dispose()
    databases.drop("countinghouse_demo_statements")


@pytest.fixture
def last(app: Flask) -> date:
    """The last business day that has ended."""
    found = bookings.last_closed()
    assert found is not None
    return found


# --- reading what was written, without the code that wrote it -----------------------------------------------------


@dataclass
class Read:
    """One statement of a file. Amounts in minor units of currencies with two decimals."""

    account: str
    currency: str
    opening: int
    closing: int
    #: amount, references and text of each line
    lines: list[tuple[int, set[str], str]]
    value_dates: list[date]


def _minor(amount: Decimal) -> int:
    assert amount == amount.quantize(Decimal("0.01"))
    return int(amount * 100)


def read_camt(path: Path) -> list[Read]:
    found: dict[str, Read] = {}
    for entry in reader.entries(path):
        statement = entry.statement
        assert statement.currency is not None and statement.account is not None and entry.problem is None
        assert entry.status == "BOOK" and entry.amount is not None
        key = f"{statement.account} {statement.currency}"
        if key not in found:
            balance = {each.kind: _minor(each.amount) for each in statement.balances}
            found[key] = Read(statement.account, statement.currency, balance["OPBD"], balance["CLBD"], [], [])
        details = [
            (_minor(each.amount or Decimal(0)) * (1 if each.credit else -1), set(each.references.values()),
             each.remittance or "")
            for each in entry.details
        ]  # fmt: skip
        assert sum(each[0] for each in details) == _minor(entry.amount) * (1 if entry.credit else -1)
        found[key].lines += details
        assert entry.value_date is not None
        found[key].value_dates += [entry.value_date] * len(details)
    return list(found.values())


_MOVEMENT = re.compile(r"^:61:(\d{6})\d{4}(R?[CD])([\d,]+)NTRFNONREF//(\S{1,16})$")


def read_mt940(path: Path) -> list[Read]:
    found = []
    for message in path.read_bytes().decode("ascii").split("\r\n-\r\n"):
        if not message:
            continue
        fields = re.split(r"\r\n(?=:\d\d[A-Z]?:)", message.strip())
        said = {field[1:].partition(":")[0]: field[1:].partition(":")[2] for field in fields}
        opening, closing = (_balance(said[tag]) for tag in ("60F", "62F"))
        read = Read(said["25"], said["60F"][7:10].lower(), opening, closing, [], [])
        for place, field in enumerate(fields):
            if not field.startswith(":61:"):
                continue
            movement = _MOVEMENT.match(field)
            assert movement is not None, field
            amount = int(movement[3].replace(",", ""))
            amount = amount if movement[2] in {"C", "RD"} else -amount
            text = "".join(fields[place + 1].removeprefix(":86:").split("\r\n"))
            purpose = "".join(re.findall(r"\?2\d([^?]*)", text))
            name = re.search(r"EREF\+([0-9A-F]+)", purpose)
            read.lines.append((amount, {movement[4], *([name[1]] if name else [])}, purpose))
            read.value_dates.append(date(2000 + int(movement[1][:2]), int(movement[1][2:4]), int(movement[1][4:])))
        found.append(read)
    return found


def _balance(said: str) -> int:
    amount = int(said[10:].replace(",", ""))
    return amount if said[0] == "C" else -amount


def read(day: Path) -> dict[str, Read]:
    """Every statement of a day's folder, by account and currency."""
    found = [
        each
        for path in sorted(day.iterdir())
        for each in (read_camt(path) if path.suffix == ".xml" else read_mt940(path) if path.suffix == ".txt" else [])
    ]
    return {f"{each.account} {each.currency}": each for each in found}


def listed(day: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((day / folder.LIST).read_text("utf-8"))
    return said


# --- what was written ---------------------------------------------------------------------------------------------


def test_balances_tie_out_and_follow_one_another(app: Flask, last: date, tmp_path: Path) -> None:
    days = folder.write(tmp_path, last, earlier=4, owner=OWNER)
    assert [each.planted for each in days] == [0, 0, 0, 0, days[-1].planted] and days[-1].planted >= 6
    before: dict[str, int] = {}
    for each in days:
        found = read(each.folder)
        assert sum(len(one.lines) for one in found.values()) > 0
        for key, statement in found.items():
            assert statement.opening + sum(amount for amount, _, _ in statement.lines) == statement.closing, key
            assert before.get(key, statement.opening) == statement.opening, (key, each.day)
            before[key] = statement.closing


def test_without_differences_the_bank_holds_what_the_ledger_says(app: Flask, last: date, tmp_path: Path) -> None:
    [before, _missed, _last] = folder.write(tmp_path, last, earlier=2, owner=OWNER)
    settlement = {f"{bank.number} {bank.currency}": bank.settlement for bank in bookings.banks()}
    ledger = balances.at_end_of(settlement.values(), before.day)
    for key, statement in read(before.folder).items():
        assert statement.closing == -ledger[settlement[key]].posted, key


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(app: Flask, last: date, tmp_path: Path) -> None:
    def written(name: str, seed: int) -> dict[str, bytes]:
        folder.write(tmp_path / name, last, seed=seed, owner=OWNER)
        return {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}

    first = written("first", 1)
    assert first == written("again", 1)
    assert first.keys() == written("other", 2).keys() and first != written("other", 2)


def _ledger(day: date) -> dict[str, Counter[tuple[int, str]]]:
    """Of each bank account: amount and our own reference of what the ledger booked on that day, in plain SQL."""
    rows = session().execute(
        sa.text(
            "SELECT b.number || ' ' || b.currency AS key, t.id::text AS id,"
            " CASE WHEN t.debtor_account_id = a.id THEN t.amount_minor ELSE -t.amount_minor END AS amount,"
            " coalesce(w.end_to_end_id, w.provider_reference, upper(replace(p.parent_id::text, '-', ''))) AS reference,"
            " w.provider_reference FROM ledger_transaction t JOIN payment p ON p.id = t.payment_id"
            " JOIN account a ON a.type = 'settlement' AND a.id IN (t.debtor_account_id, t.creditor_account_id)"
            " JOIN bank_account b ON b.id = a.bank_account_id LEFT JOIN transfer w ON w.id = p.parent_id"
            " WHERE t.state = 'posted' AND t.booking_date = :day"
        ),
        {"day": day},
    )
    found: dict[str, Counter[tuple[int, str]]] = {}
    for row in rows:
        found.setdefault(row.key, Counter())[row.amount, row.reference] += 1
    return found


def test_what_differs_is_exactly_what_is_listed(app: Flask, last: date, tmp_path: Path) -> None:
    days = folder.write(tmp_path, last, owner=OWNER)
    said, found, ledger = listed(days[-1].folder), read(days[-1].folder), _ledger(last)
    for key, before in read(days[0].folder).items():
        # an account of which the last day has no entries was not read there
        of_both = found.setdefault(key, replace(before, lines=[], value_dates=[]))
        of_both.lines += before.lines
        of_both.value_dates += before.value_dates
    for key, rows in _ledger(days[0].day).items():
        ledger[key] = ledger.get(key, Counter()) + rows
    assert {each["kind"] for each in said["differences"]} == {kind.value for kind in Kind} and not said["leftOut"]
    differences: Counter[tuple[str, str, int]] = Counter()
    for key, statement in found.items():
        left = Counter(ledger.get(key, Counter()))
        lines = list(zip(statement.lines, statement.value_dates, strict=True))
        seen: set[tuple[int, str]] = set()
        rest = []
        for (amount, references, text), value_date in lines:
            # the ledger's name of it may stand in a field or in the text
            named = [(sum_, name) for sum_, name in left if sum_ == amount and (name in references or name in text)]
            if named and left[named[0]]:
                left[named[0]] -= 1
                seen.add(named[0])
                if last - value_date >= timedelta(days=7):
                    differences[key, Kind.WRONG_DATE, amount] += 1
            else:
                rest.append((amount, references, text))
        for amount, references, text in rest:
            if any(sum_ == amount and name in references for sum_, name in seen):
                differences[key, Kind.DUPLICATE, amount] += 1
                continue
            near = [each for each in left if left[each] and (each[1] in references or each[1] in text)]
            alike = [each for each in left if left[each] and each[0] == amount]
            if near:
                left[near[0]] -= 1
                differences[key, Kind.AMOUNT_DIFFERS, amount] += 1
            elif alike:
                left[alike[0]] -= 1
                differences[key, Kind.BY_HAND, amount] += 1
            else:
                differences[key, Kind.MISSING_IN_LEDGER, amount] += 1
        for (amount, _name), count in left.items():
            if count:
                differences[key, Kind.MISSING_IN_STATEMENT, amount] += count
    planted = Counter(
        (f"{each['account']} {each['currency']}", Kind(each["kind"]), _minor(Decimal(each["bank"] or each["ledger"])))
        for each in said["differences"]
    )
    assert differences == planted


def test_the_list_names_the_rows_of_the_ledger_and_what_to_do(app: Flask, last: date, tmp_path: Path) -> None:
    day = folder.write(tmp_path, last, owner=OWNER)[-1].folder
    said = listed(day)
    for each in said["differences"]:
        rows = session().execute(
            sa.text("SELECT amount_minor FROM ledger_transaction WHERE id = ANY (CAST(:ids AS uuid[]))"),
            {"ids": each["transactions"]},
        ).scalars().all()  # fmt: skip
        assert sum(rows) == (abs(_minor(Decimal(each["ledger"]))) if each["ledger"] else 0)
    fees = [each for each in said["differences"] if each["kind"] == Kind.MISSING_IN_LEDGER]
    assert [each["bank"] for each in fees] == ["-4.50", "-4.50"]
    assert {Path(each["file"]).suffixes[-1] for each in fees} == {".xml", ".txt"}
    assert {each["remedy"] for each in said["differences"]} == {"adjustingPayment", "matchByHand", "accept"}
    readable = (day / folder.READABLE).read_text("utf-8")
    assert "prowizja" in readable and readable.count("**") == 2 * len(said["differences"])


def test_one_entry_stands_for_several_payments(app: Flask, last: date, tmp_path: Path) -> None:
    day = folder.write(tmp_path, last, owner=OWNER)[-1]
    entries = [entry for path in day.files if path.suffix == ".xml" for entry in reader.entries(path)]
    batches = [entry for entry in entries if len(entry.details) > 1]
    assert batches and all(entry.servicer_reference and entry.servicer_reference.startswith("ORD") for entry in batches)


def test_what_lies_in_the_folder_goes_on_with_nothing_more_planted(app: Flask, last: date, tmp_path: Path) -> None:
    days = bookings.closed_days(last, 4)
    [_before, planted] = folder.write(tmp_path, days[1], owner=OWNER)
    followed = folder.write(tmp_path, last, owner=OWNER)
    assert [each.day for each in followed] == days[2:] and all(each.planted == 0 for each in followed)
    before = read(planted.folder)
    for each in followed:
        found = read(each.folder)
        for key, statement in found.items():
            if key in before:
                assert statement.opening == before[key].closing, (key, each.day)
        before |= found
    # the bank's balance stays where the differences have left it
    effect = sum(_minor(Decimal(each["bank"] or 0)) - _minor(Decimal(each["ledger"] or 0))
                 for each in listed(planted.folder)["differences"] if each["currency"] == "pln")  # fmt: skip
    assert effect == -planting.FEE_MINOR


def test_a_day_that_has_not_ended_is_refused(app: Flask, last: date, tmp_path: Path) -> None:
    for wrong in (last + timedelta(days=1), date(2001, 1, 1)):
        with pytest.raises(Refused) as refused:
            folder.write(tmp_path, wrong, owner=OWNER)
        assert refused.value.code == "dayNotClosed"
    assert not list(tmp_path.iterdir())


def test_a_list_that_cannot_be_read_counts_as_none(app: Flask, last: date, tmp_path: Path) -> None:
    broken = tmp_path / (last - timedelta(days=10)).isoformat()
    broken.mkdir()
    (broken / folder.LIST).write_text('{"day": "yesterday"}', "utf-8")
    assert folder.write(tmp_path, last, owner=OWNER)[-1].planted >= 6


def test_the_command_says_what_it_wrote(application: Flask, app: Flask, last: date, tmp_path: Path) -> None:
    done = application.test_cli_runner().invoke(args=["demo", "statements", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert f"{tmp_path / last.isoformat()}: 2 files, " in done.output and "planted differences" in done.output
    wrong = application.test_cli_runner().invoke(
        args=["demo", "statements", "--out", str(tmp_path), "--day", "2001-01-01"]
    )
    assert wrong.exit_code == 1 and "no business day that has ended" in wrong.output


def test_the_register_knows_every_demo_account_and_both_pools(app: Flask) -> None:
    accounts = bookings.banks()
    assert Counter((bank.provider, bank.pool) for bank in accounts) == {
        ("sandbox", "eMoney"): 3, ("sandbox", "paymentServices"): 1, ("sandbox", None): 2,
        ("bank-alpha", "eMoney"): 3, ("bank-alpha", "paymentServices"): 1, ("bank-alpha", None): 2,
    }  # fmt: skip
    apart = (
        session()
        .execute(
            sa.text(
                "SELECT count(*) FILTER (WHERE p.account_id IS NULL) FROM account a LEFT JOIN account_pool p"
                " ON p.account_id = a.id WHERE a.type = 'client' AND (a.currency = 'usd') <> (p.account_id IS NOT NULL)"
            )
        )
        .scalar()
    )
    assert apart == 0
    own = [bank.settlement for bank in accounts if bank.pool is None]
    assert {each.posted for each in balances.now(own).values()} == {-7_500_000}


# --- properties ---------------------------------------------------------------------------------------------------

DAY = date(2026, 3, 12)
BANK = Bank(uuid4(), "bank-alpha", "Bank Alpha", "LT487044001000100101", "eur", "eMoney", "camt", uuid4())


def booked(random: Random, count: int) -> list[Booking]:
    """So many payments of a day, all kinds among them."""
    found = []
    for place in range(count):
        amount = random.choice((1, 999, 1_000, 123_456, random.randint(1, 500_000))) * random.choice((1, -1))
        name = f"{place:032X}"
        found.append(
            Booking(
                uuid4(), amount, DAY - timedelta(days=random.randint(0, 3)), name if amount < 0 else None,
                f"B{place:015d}", random.choice((None, "Łucja Dąbrowska")), None, random.choice((None, "Invoice 4410")),
                random.random() < 0.1, random.random() < 0.1, random.random() < 0.8,
            )
        )  # fmt: skip
    return found


@given(st.integers(0, 40), st.integers(0, 10**6))
def test_planted_differences_are_the_whole_difference(count: int, seed: int) -> None:
    rows = booked(Random(seed), count)  # noqa: S311
    lines = telling.lines(rows)
    plot = planting.plant(BANK, DAY, lines, rows, planting.ALL_KINDS, Random(seed))  # noqa: S311
    told = sum(line.amount for line in plot.lines)
    assert told - sum(row.amount for row in rows if not row.opening) == sum(each.effect for each in plot.planted)
    # each kind once, or said to be left out; no payment twice
    assert sorted([*(each.kind for each in plot.planted), *plot.left_out]) == sorted(planting.ALL_KINDS)
    assert set(planting.ALL_KINDS) | {Kind.MISSING_IN_STATEMENT} == set(Kind)
    touched = [each for planted in plot.planted for each in planted.transactions]
    assert len(touched) == len(set(touched))
    assert all(line.amount for line in plot.lines)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=200), st.text(max_size=80))
def test_mt940_texts_keep_to_the_width_and_are_read_back(text: str, party: str) -> None:
    line = telling.Line(-1_250, DAY, "OUT0", "A" * 32, party or None, "LT487044001000100101", text or None)
    fields = mt940._line(BANK, DAY, line)
    assert all(len(each) <= 65 and each.isascii() for each in fields)
    assert not any(each[0] in ":-" for each in fields[2:])
    joined = "".join(fields[1:]).removeprefix(":86:")
    assert "EREF+" + "A" * 32 in "".join(re.findall(r"\?2\d([^?]*)", joined))
