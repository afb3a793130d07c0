"""Opening balances: a file that ties out, two people, all or nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clock import now
from dashboard.database import new_id, session, transaction
from dashboard.errors import Conflict, DomainError, Forbidden, Invalid, Refused
from dashboard.ledger.models import Account, AccountBalance, LedgerTransaction, OpeningImport, OpeningRow, Payment
from dashboard.ledger.queries import balances
from dashboard.ledger.services import accounts, opening, opening_file
from dashboard.ledger.services.opening import FileRefused
from tests.conftest import People
from tests.ledger.conftest import Book

HEADER = "accountNumber,currency,amount\n"


@pytest.fixture
def maker(people: People) -> Actor:
    return people.actor(Role.TREASURER)


@pytest.fixture
def second(people: People) -> Actor:
    return people.actor(Role.SENIOR_TREASURER)


class Chart:
    """The house's accounts of a few currencies, and client accounts that nobody has used."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.settlement: dict[str, UUID] = {}
        for currency in ("eur", "usd", "jpy"):
            with transaction():
                bank = accounts.register_bank_account(
                    provider="bank", name="Bank", number=f"LT{currency}", currency=currency, by=system()
                )
            self.settlement[currency] = self.of_type("settlement", currency, bank_account_id=bank.id)

    def of_type(self, type: str, currency: str, **more: Any) -> UUID:
        found = session().scalars(sa.select(Account.id).filter_by(type=type, currency=currency, **more)).one()
        session().commit()
        return found

    def number(self, account_id: UUID) -> str:
        found = session().scalars(sa.select(Account.number).where(Account.id == account_id)).one()
        session().commit()
        return found

    def file(self, *rows: tuple[UUID, str, str]) -> bytes:
        return (HEADER + "".join(f"{self.number(a)},{c},{m}\n" for a, c, m in rows)).encode()


@pytest.fixture
def chart(book: Book) -> Chart:
    return Chart(book)


def asked(content: bytes, maker: Actor, name: str = "balances.csv") -> OpeningImport:
    with transaction():
        return opening.ask(content, file_name=name, reason="from the old system", by=maker)


def approved(imported: OpeningImport, by: Actor) -> ApprovalRequest:
    assert imported.approval_id is not None
    with transaction():
        return approvals.decide(imported.approval_id, approve=True, reason=None, by=by)


def rules(refused: pytest.ExceptionInfo[FileRefused]) -> list[tuple[int, str, str]]:
    return [(row.line, row.column, row.rule) for row in refused.value.rows]


def nothing_stored() -> bool:
    return not session().scalar(sa.select(sa.func.count()).select_from(OpeningImport)) and not session().scalar(
        sa.select(sa.func.count()).select_from(OpeningRow)
    )


def test_what_two_people_agreed_on_is_posted_and_the_opening_account_is_at_zero(
    chart: Chart, maker: Actor, second: Actor
) -> None:
    one, two, dollars = chart.book.account(), chart.book.account(), chart.book.account(currency="usd")
    funds = chart.of_type("ownFunds", "eur")
    imported = asked(
        chart.file(
            (one, "EUR", "1000.10"), (two, "eur", "0.01"), (dollars, "usd", "7"),
            (chart.settlement["eur"], "eur", "-900.11"), (funds, "eur", "-100.00"),
            (chart.settlement["usd"], "usd", "-7.00"),
        ),
        maker,
    )  # fmt: skip
    assert chart.book.balance(one) == (0, 0)
    assert imported.state == "read"
    assert approved(imported, second).state == "approved"
    held = balances.now([one, two, dollars, funds, *chart.settlement.values()])
    assert [held[a].posted for a in (one, two, dollars, funds)] == [100_010, 1, 700, -10_000]
    assert [held[chart.settlement[c]].posted for c in ("eur", "usd")] == [-90_011, -700]
    for currency in ("eur", "usd"):
        assert chart.book.balance(chart.of_type("opening", currency)) == (0, 0)
    assert session().get(OpeningImport, imported.id, populate_existing=True).state == "posted"  # type: ignore[union-attr]
    made = session().execute(sa.select(Payment.parent_type, Payment.parent_id, Payment.purpose, Payment.maker_id))
    assert [tuple(row) for row in made] == [("adjustingPayment", imported.id, "opening-1", second.id)]
    texts = session().scalars(sa.select(LedgerTransaction.description).distinct())
    assert list(texts) == ["Opening balance"]


def test_five_thousand_rows_are_posted_in_payments_of_at_most_a_thousand(
    chart: Chart, maker: Actor, second: Actor
) -> None:
    chance = random.Random(7)  # noqa: S311
    owner = chart.book.owner()
    with transaction() as current:
        fresh = [
            Account(id=new_id(), owner_id=owner, type="client", number=f"LT00{n:016}", currency="eur", hidden=False,
                    status="open", standard=False, created_at=now())
            for n in range(5_000)
        ]  # fmt: skip
        current.add_all(fresh)
        current.flush()
        current.execute(
            sa.insert(AccountBalance),
            [{"account_id": a.id, "slot": 0, "currency": "eur", "guarded": True} for a in fresh],
        )
    amounts = [chance.randrange(1, 10**7) for _ in fresh]
    lines = [f"{a.number},EUR,{n // 100}.{n % 100:02}" for a, n in zip(fresh, amounts, strict=True)]
    total = sum(amounts)
    lines.append(f"{chart.number(chart.settlement['eur'])},EUR,-{total // 100}.{total % 100:02}")
    imported = asked((HEADER + "\n".join(lines)).encode(), maker)
    approved(imported, second)
    held = balances.now([a.id for a in fresh])
    assert [held[a.id].posted for a in fresh] == amounts
    assert chart.book.balance(chart.settlement["eur"]) == (-total, 0)
    assert chart.book.balance(chart.of_type("opening", "eur")) == (0, 0)
    sizes = session().execute(
        sa.select(Payment.purpose, sa.func.count())
        .join(LedgerTransaction, LedgerTransaction.payment_id == Payment.id)
        .group_by(Payment.purpose)
        .order_by(Payment.purpose)
    )
    assert [tuple(row) for row in sizes] == [*((f"opening-{n}", 1_000) for n in range(1, 6)), ("opening-6", 1)]


def test_a_file_that_does_not_tie_out_is_refused_with_sum_and_difference(chart: Chart, maker: Actor) -> None:
    one, dollars = chart.book.account(), chart.book.account(currency="usd")
    with pytest.raises(FileRefused) as refused:
        asked(
            chart.file(
                (one, "eur", "100.00"), (chart.settlement["eur"], "eur", "-99.99"),
                (dollars, "usd", "5"), (chart.settlement["usd"], "usd", "-5"),
            ),
            maker,
        )  # fmt: skip
    assert [(s.currency, s.owed, s.covered, s.difference) for s in refused.value.sums] == [
        ("eur", 10_000, -9_999, 1), ("usd", 500, -500, 0),
    ]  # fmt: skip
    assert [(e.field, e.rule) for e in refused.value.errors] == [("eur", "tiesOut")]
    assert "0.01 EUR" in refused.value.errors[0].message
    assert nothing_stored()


def test_every_bad_row_is_named_with_its_line_and_rule(chart: Chart, maker: Actor) -> None:
    good, twice, dollars = chart.book.account(), chart.book.account(), chart.book.account(currency="usd")
    used, yen, closed = chart.book.account(5), chart.book.account(currency="jpy"), chart.book.account()
    frozen_owner = chart.book.owner()
    frozen = chart.book.account(owner=frozen_owner)
    limited = chart.book.account(limit=500)
    with transaction():
        accounts.close(closed, by=system())
        accounts.freeze_owner(frozen_owner, debits=False, credits=True, blocked_amounts={})
    number = chart.number
    rows = [
        f"{number(good)},EUR,1.00",
        f"{number(twice)},EUR,1.00",
        f"{number(twice)},EUR,1.00",  # 4
        "LT000000000000000000,EUR,1.00",  # 5
        f"{number(dollars)},EUR,1.00",  # 6
        f"{number(closed)},EUR,1.00",  # 7
        f"{number(used)},EUR,1.00",  # 8
        f"{number(yen)},JPY,1.5",  # 9
        f"{number(frozen)},EUR,1.00",  # 10
        f"{number(limited)},EUR,-5.01",  # 11
        f"{number(chart.of_type('opening', 'eur'))},EUR,1.00",  # 12
        f"{number(good)},EUR",  # 13
        f"{number(good)},EUR,1.00,",  # 14
        "",
        "=1+1,EUR,1.00",  # 16
        "nonsense,XXX,1",  # 17 (two cells)
    ]
    with pytest.raises(FileRefused) as refused:
        asked((HEADER + "\n".join(rows)).encode(), maker)
    assert rules(refused) == [
        (4, "accountNumber", "duplicate"),
        (5, "accountNumber", "unknown"),
        (6, "currency", "currencyMismatch"),
        (7, "accountNumber", "closed"),
        (8, "accountNumber", "hasPostings"),
        (9, "amount", "decimals"),
        (10, "accountNumber", "frozen"),
        (11, "amount", "belowLimit"),
        (12, "accountNumber", "notAllowed"),
        (13, "row", "columns"),
        (14, "row", "columns"),
        (16, "accountNumber", "formula"),
        (17, "accountNumber", "pattern"),
        (17, "currency", "enum"),
    ]
    assert refused.value.bad == 13
    told = {row.line: row for row in refused.value.rows}
    assert [told[line].value for line in (9, 11, 14, 16, 17)] == [
        "1.5", "−5.01 EUR", f"{number(good)},EUR,1.00,", "=1+1", "XXX",
    ]  # fmt: skip
    assert "Opening balances go only to accounts without postings. Use an adjusting payment." in told[8].message
    assert "The file has “1.5”." in told[9].said
    assert nothing_stored()


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("1,5", "columns"), ("1.234", "decimals"), ("0", "zero"), ("-0.00", "zero"), ("1e3", "number"),
        ("NaN", "number"), ("Infinity", "number"), ("", "number"), ("1_000", "number"), ("1 000", "number"),
        ("٣", "number"), ("−5", "number"), ("12345678901234567.00", "range"), ("123456789012345678", "number"),
        (".5", "number"), ("5.", "number"), ("0x10", "number"), ("+5", "formula"), ("=5", "formula"),
        ("@SUM(1)", "formula"), ("-cmd|' /C calc'!A0", "formula"), ("\t5", "formula"), ("--5", "formula"),
        ('"=HYPERLINK(""x"")"', "formula"),
    ],
)  # fmt: skip
def test_an_amount_is_a_plain_number_with_a_decimal_point(cell: str, rule: str) -> None:
    read = opening_file.read(f"{HEADER}LT121000011101001000,EUR,{cell}\n".encode())
    assert [error.rule for error in read.errors] == [rule]
    assert (read.rows, read.refusal) == ([], None)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xef\xbb\xbf", HEADER.encode(), HEADER.encode("utf-16"), b"\xff\xfe\x00\x00",
        b"accountNumber;currency;amount\nLT121000011101001000;EUR;1\n",
        b"accountnumber,currency,amount\nLT121000011101001000,EUR,1\n",
        b"LT121000011101001000,EUR,1\n",
        HEADER.encode() + b"LT\xe4,EUR,1\n",
        HEADER.encode() + b"LT121000011101001000,EUR,\x001\n",
        HEADER.encode() + b'"LT121000011101001000,EUR,1\n',
        HEADER.encode() + b'LT121000011101001000,"EUR"x,1\n',
        HEADER.encode() + b"x" * 200_000 + b",EUR,1\n",
        HEADER.encode() + b" " * opening_file.LARGEST_FILE,
        b"PK\x03\x04" + bytes(range(256)) * 4,
    ],
)  # fmt: skip
def test_what_is_no_csv_of_this_kind_is_refused_as_a_whole(content: bytes) -> None:
    read = opening_file.read(content)
    assert read.refusal
    assert (read.rows, read.errors) == ([], [])


def test_a_byte_order_mark_windows_lines_and_quotes_are_read() -> None:
    read = opening_file.read(
        b'\xef\xbb\xbfaccountNumber,currency,amount\r\n"LT12 1000 0111 0100 1000",eur,"-12.50"\r\n\r\n'
        b"LT601010012345678901,EUR,12.5\r\n"
    )
    assert (read.errors, read.refusal) == ([], None)
    assert [(r.line, r.number, r.amount_minor) for r in read.rows] == [
        (2, "LT121000011101001000", -1_250),
        (4, "LT601010012345678901", 1_250),
    ]


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening_file, "MOST_ROWS", 2)
    rows = "".join(f"LT{n:018},EUR,1\n" for n in range(3))
    assert "Split it" in (opening_file.read((HEADER + rows).encode()).refusal or "")
    assert opening_file.read((HEADER + rows[: rows.rindex("LT")]).encode()).refusal is None


def simple(chart: Chart, amount: str = "10.00") -> tuple[UUID, bytes]:
    account = chart.book.account()
    return account, chart.file((account, "eur", amount), (chart.settlement["eur"], "eur", f"-{amount}"))


def test_the_same_file_twice_names_the_first(chart: Chart, maker: Actor, second: Actor) -> None:
    _, content = simple(chart)
    imported = asked(content, maker)
    for _ in range(2):
        with pytest.raises(Conflict) as again:
            asked(content, second, name="copy.csv")
        assert again.value.details == {"importId": str(imported.id)}
        assert "balances.csv" in again.value.message
        if session().get(OpeningImport, imported.id, populate_existing=True).state == "read":  # type: ignore[union-attr]
            approved(imported, second)


def test_the_maker_never_approves_and_one_of_the_two_is_senior(chart: Chart, maker: Actor, people: People) -> None:
    account, content = simple(chart)
    imported = asked(content, maker)
    for person in (maker, people.actor(Role.TREASURER, "Another Treasurer"), people.actor(Role.SENIOR_OFFICER)):
        with pytest.raises(Forbidden):
            approved(imported, person)
    assert chart.book.balance(account) == (0, 0)


def test_whoever_may_not_operate_the_ledger_uploads_nothing(chart: Chart, people: People) -> None:
    _, content = simple(chart)
    with pytest.raises(Forbidden):
        asked(content, people.actor(Role.OFFICER))
    assert nothing_stored()


def test_the_maker_drops_a_file_before_the_decision_and_it_can_be_uploaded_again(
    chart: Chart, maker: Actor, second: Actor
) -> None:
    account, content = simple(chart)
    imported = asked(content, maker)
    with pytest.raises(Forbidden), transaction():
        opening.drop(imported.id, by=second)
    with transaction():
        dropped = opening.drop(imported.id, by=maker)
    assert (dropped.state, dropped.closed_at is not None) == ("dropped", True)
    with pytest.raises(Conflict):
        approved(imported, second)
    with pytest.raises(Conflict), transaction():
        opening.drop(imported.id, by=maker)
    approved(asked(content, maker), second)
    assert chart.book.balance(account) == (1_000, 0)


def test_a_rejected_file_can_be_uploaded_again(chart: Chart, maker: Actor, second: Actor) -> None:
    account, content = simple(chart)
    imported = asked(content, maker)
    with transaction():
        approvals.decide(imported.approval_id, approve=False, reason="wrong day", by=second)  # type: ignore[arg-type]
    anew = asked(content, maker)
    assert session().get(OpeningImport, imported.id, populate_existing=True).state == "dropped"  # type: ignore[union-attr]
    approved(anew, second)
    assert chart.book.balance(account) == (1_000, 0)


def test_a_posted_file_is_not_dropped(chart: Chart, maker: Actor, second: Actor) -> None:
    _, content = simple(chart)
    imported = asked(content, maker)
    approved(imported, second)
    with pytest.raises(Conflict), transaction():
        opening.drop(imported.id, by=maker)


def test_an_account_stands_in_one_waiting_file_only(chart: Chart, maker: Actor) -> None:
    account, content = simple(chart)
    asked(content, maker)
    other = chart.file((account, "eur", "11.00"), (chart.of_type("ownFunds", "eur"), "eur", "-11.00"))
    with pytest.raises(FileRefused) as refused:
        asked(other, maker)
    assert rules(refused) == [(2, "accountNumber", "waiting")]


def test_what_moved_while_the_file_waited_refuses_all_of_it(chart: Chart, maker: Actor, second: Actor) -> None:
    account, content = simple(chart)
    imported = asked(content, maker)
    chart.book.pay(chart.book.house(), account, 5)
    with pytest.raises(Refused) as refused:
        approved(imported, second)
    assert (refused.value.code, refused.value.details) == ("noLongerFits", {"lines": [2]})
    assert chart.book.balance(account) == (5, 0)
    assert chart.book.balance(chart.settlement["eur"]) == (0, 0)
    assert session().get(OpeningImport, imported.id, populate_existing=True).state == "read"  # type: ignore[union-attr]


def test_an_overdraft_within_its_limit_is_an_opening_balance(chart: Chart, maker: Actor, second: Actor) -> None:
    account = chart.book.account(limit=500)
    content = chart.file((account, "eur", "-5.00"), (chart.settlement["eur"], "eur", "5.00"))
    approved(asked(content, maker), second)
    assert chart.book.balance(account) == (-500, 0)


def test_a_currency_without_an_opening_account_is_refused(book: Book, maker: Actor) -> None:
    one, two = book.account(currency="chf"), book.account(currency="chf", limit=100)
    numbers = [
        session().scalars(sa.select(Account.number).where(Account.id == account)).one() for account in (one, two)
    ]
    with pytest.raises(Refused) as refused:
        asked(f"{HEADER}{numbers[0]},chf,1\n{numbers[1]},chf,-1\n".encode(), maker)
    assert refused.value.code == "noSystemAccount"


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_file_comes_with_a_reason(chart: Chart, maker: Actor, reason: str) -> None:
    _, content = simple(chart)
    with pytest.raises(Invalid) as refused, transaction():
        opening.ask(content, file_name="x.csv", reason=reason, by=maker)
    assert refused.value.errors[0].field == "reason"
    assert nothing_stored()


@pytest.mark.parametrize(
    ("name", "shown"),
    [("C:\\x\\bal.csv", "bal.csv"), ("../../etc/passwd", "passwd"), ("a\x00\u202eb.csv", "ab.csv"),
     ("", "without a name"), ("x" * 500, "x" * 120)],
)  # fmt: skip
def test_a_file_name_is_shown_without_folders_and_tricks(name: str, shown: str) -> None:
    assert opening.shown_name(name) == shown


def test_who_decides_sees_file_checksum_and_sums(chart: Chart, maker: Actor, second: Actor) -> None:
    _, content = simple(chart)
    imported = asked(content, maker)
    request = session().get(ApprovalRequest, imported.approval_id)
    assert request is not None
    detail = opening.details([request], second)[request.id]
    told = {line.label: line.parts[0] for line in detail.lines}
    assert told["File"] == "balances.csv"
    assert told["SHA-256"] == imported.sha256
    assert told["EUR"] == "2 accounts: positive 10.00 EUR, negative −10.00 EUR, together 0.00 EUR"


KILLED = """
import os, sys
from dashboard.app import create_app
from dashboard.database import transaction
from dashboard.approvals import services as approvals
from dashboard.ledger import moving
from dashboard.staff import services as staff
from uuid import UUID

create = moving.create
def slow(*arguments, **options):
    done = create(*arguments, **options)
    print("moved", flush=True)
    sys.stdin.readline()
    return done
moving.create = slow
app = create_app()
with app.app_context(), transaction():
    approvals.decide(UUID(sys.argv[1]), approve=True, reason=None, by=staff.actor_named(sys.argv[2]))
"""


def test_killed_half_way_nothing_of_the_file_is_posted(committed: Flask, tmp_path: Path) -> None:
    people, book = People(), Book()
    maker, second = people.actor(Role.TREASURER), people.actor(Role.SENIOR_TREASURER)
    chart = Chart(book)
    account, content = simple(chart)
    imported = asked(content, maker)
    settings = committed.extensions["countinghouse.settings"]
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "INSTANCE_PATH": str(tmp_path),
        "SECRET_KEY": "x" * 40,
    }
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", KILLED, str(imported.approval_id), "senior-treasurer@test.example"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "moved\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(100):
        # the server ends the transaction of the dead client by itself
        if not session().scalar(
            sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'")
        ):  # fmt: skip
            break
        session().rollback()
        time.sleep(0.05)
    session().rollback()
    assert book.balance(account) == (0, 0)
    assert session().scalar(sa.select(sa.func.count()).select_from(Payment)) == 0
    request = session().get(ApprovalRequest, imported.approval_id, populate_existing=True)
    assert request is not None and request.state == "requested"
    session().rollback()
    approved(imported, second)
    assert book.balance(account) == (1_000, 0)


def test_the_command_asks_and_names_what_is_wrong(chart: Chart, maker: Actor, app: Flask, tmp_path: Path) -> None:
    runner: Callable[..., Any] = app.test_cli_runner().invoke
    account, content = simple(chart)
    file = tmp_path / "old.csv"
    file.write_bytes(content.replace(b"-10.00", b"-9.00"))
    options = ["ledger", "opening-balances", str(file), "--reason", "move", "--by", "treasurer@test.example"]
    refused = runner(args=options)
    assert refused.exit_code == 1
    assert "EUR adds up to 1.00 EUR" in refused.output
    file.write_bytes(content)
    done = runner(args=options)
    assert (done.exit_code, "waits for a second person" in done.output) == (0, True), done.output
    assert session().scalars(sa.select(OpeningImport.file_name)).one() == "old.csv"
    assert chart.book.balance(account) == (0, 0)
    stranger = runner(args=[*options[:-1], "nobody@test.example"])
    assert (stranger.exit_code, "no staff member" in stranger.output) == (1, True)


def test_a_refusal_is_a_domain_error_with_status_and_code() -> None:
    refused = FileRefused("The file has no row below its header.")
    assert isinstance(refused, DomainError)
    assert (refused.status, refused.code, refused.errors[0].field) == (400, "fileRefused", "file")
