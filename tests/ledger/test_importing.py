"""`flask ledger import FILE`: streamed, resumed, row errors in a file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.database import session
from dashboard.errors import Conflict, Invalid
from dashboard.ledger import moving
from dashboard.ledger.models import Account, FileImport, Payment
from dashboard.ledger.services import importing
from tests.ledger.conftest import Book

HEAD = "parentId,debtor,creditor,currency,amount,description\n"


def number(account_id: Any) -> str:
    return str(session().scalar(sa.select(Account.number).where(Account.id == account_id)))


def write(path: Path, *lines: str) -> Path:
    path.write_text(HEAD + "".join(f"{uuid4()},{line}\n" for line in lines), encoding="utf-8")
    return path


def errors_of(path: Path) -> list[list[str]]:
    with path.with_name(path.name + ".errors.csv").open(encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def test_every_record_is_posted_by_number_or_by_identifier(book: Book, tmp_path: Path) -> None:
    rich, poor = book.account(10_000), book.account()
    spaced = " ".join(number(poor)[i : i + 4] for i in range(0, 20, 4)).lower()
    file = write(tmp_path / "p.csv", f"{rich},{spaced},EUR,12.34,zażółć", f"{number(rich)},{poor},eur,1,")
    result = importing.import_file(file, by=system())
    assert (result.posted, result.refused) == (2, 0)
    assert book.balance(poor) == (1_334, 0)
    assert not result.errors.exists()


def test_each_refused_record_is_told_with_its_line_and_the_others_are_posted(book: Book, tmp_path: Path) -> None:
    rich, poor = book.account(1_000), book.account()
    file = write(
        tmp_path / "p.csv",
        f"{rich},{poor},eur,5,ok",
        f"{rich},{poor},eur,1000,too much",
        f"{rich},{poor},eur,0.001,",
        f"{rich},{poor},xxx,1,",
        f"LT000,{poor},eur,1,",
        f"{rich},{rich},eur,1,",
        f"{rich},{poor},eur",
        f"{rich},{poor},eur,NaN,",
        f"{rich},{poor},eur,5,ok",
        f"{rich},{poor},eur,1_000,",
        f"{rich},{poor},eur,١٢,",
        f"AB\x00C,{poor},eur,1,",
    )
    result = importing.import_file(file, by=system())
    assert (result.posted, result.refused) == (2, 10)
    assert book.balance(rich) == (0, 0)
    rules = [(row[0], row[2]) for row in errors_of(file)]
    assert ("3", "insufficientFunds") in rules
    assert ("4", "range") in rules
    assert ("5", "enum") in rules
    assert ("6", "accountNotFound") in rules
    assert ("7", "sameAccount") in rules
    assert ("8", "length") in rules
    assert {("9", "range"), ("11", "range"), ("12", "range"), ("13", "value")} <= set(rules)


def test_a_file_is_imported_once(book: Book, tmp_path: Path) -> None:
    rich, poor = book.account(1_000), book.account()
    file = write(tmp_path / "p.csv", f"{rich},{poor},eur,1,")
    importing.import_file(file, by=system())
    copy = tmp_path / "copy.csv"
    copy.write_bytes(file.read_bytes())
    with pytest.raises(Conflict) as refused:
        importing.import_file(copy, by=system())
    assert refused.value.code == "fileImported"
    assert book.balance(poor) == (100, 0)


def test_a_corrected_file_books_nothing_twice(book: Book, tmp_path: Path) -> None:
    rich, poor = book.account(1_000), book.account()
    file = write(tmp_path / "p.csv", f"{rich},{poor},eur,1,", f"{rich},{poor},eur,0,")
    assert importing.import_file(file, by=system()).posted == 1
    file.write_text(file.read_text().replace(",0,", ",2,"))
    again = importing.import_file(file, by=system())
    assert (again.posted, again.refused) == (1, 1)
    assert [row[2] for row in errors_of(file)] == ["paymentExists"]
    file.write_text(file.read_text() + "\n")
    assert importing.import_file(file, by=system()).posted == 0
    assert book.balance(poor) == (300, 0)


def test_a_killed_import_goes_on_where_it_stopped(book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rich, poor = book.account(100_000), book.account()
    monkeypatch.setattr(importing, "CHUNK", 10)
    file = write(tmp_path / "p.csv", *(f"{rich},{poor},eur,{0 if n % 7 == 0 else 1},{n}" for n in range(35)))
    original, calls = moving.create, []

    def dies_in_the_third(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            original(*arguments, **options)
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(moving, "create", dies_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        importing.import_file(file, by=system())
    assert session().scalar(sa.select(FileImport.lines)) == 20
    result = importing.import_file(file, by=system())
    assert (result.resumed_at, result.lines, result.posted, result.refused) == (20, 35, 30, 5)
    assert book.balance(poor) == (3_000, 0)
    assert [row[0] for row in errors_of(file)] == ["2", "9", "16", "23", "30"]


def test_an_adjusting_payment_does_not_slip_in_by_a_file(book: Book, tmp_path: Path) -> None:
    rich, poor = book.account(1_000), book.account()
    file = tmp_path / "p.csv"
    file.write_text(
        f"parentId,debtor,creditor,currency,amount,parentType\n{uuid4()},{rich},{poor},eur,1,adjustingPayment\n"
    )
    result = importing.import_file(file, by=system())
    assert (result.posted, result.refused) == (0, 1)
    assert session().scalar(sa.select(sa.func.count()).select_from(Payment).where(Payment.maker_id.is_(None))) == 1


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"debtor,debtor,creditor,currency,amount\n", b"\xff\xfe\x00broken", b"debtor\n"]
)
def test_a_file_that_is_no_such_file_is_refused_in_words(app: Flask, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "p.csv"
    file.write_bytes(content)
    with pytest.raises(Invalid):
        importing.import_file(file, by=system())


def test_the_command_tells_what_it_did(app: Flask, book: Book, tmp_path: Path) -> None:
    rich, poor = book.account(1_000), book.account()
    file = write(tmp_path / "p.csv", f"{rich},{poor},eur,1,", f"{rich},{poor},eur,9999,")
    answer = app.test_cli_runner().invoke(args=["ledger", "import", str(file)])
    assert answer.exit_code == 0, answer.output
    assert "1 posted, 1 refused" in answer.output
    again = app.test_cli_runner().invoke(args=["ledger", "import", str(file)])
    assert again.exit_code == 1
    assert "imported already" in again.output
