"""CSV by a saved mapping of its bank account."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from dashboard.access.permissions import Role
from dashboard.database import session, transaction
from dashboard.errors import Forbidden, Invalid, Refused
from dashboard.treasury.statements.models import StatementImport
from dashboard.treasury.statements.reading.csv_rows import amount_of
from dashboard.treasury.statements.reading.stream import Unreadable
from dashboard.treasury.statements.services import mappings
from tests.conftest import People
from tests.treasury.statements.conftest import Desk, bank_account, entries, lines, statements

SIGNED: dict[str, Any] = {
    "encoding": "utf-8", "delimiter": "semicolon", "decimalMark": "comma", "dateFormat": "DD.MM.YYYY",
    "columns": {"booking_date": "Data", "amount": "Kwota", "balance": "Saldo", "remittance": "Tytuł",
                "counterparty": "Nadawca", "reference": "Nr"},
}  # fmt: skip
HEAD = "Data;Kwota;Saldo;Tytuł;Nadawca;Nr\n"
ROWS = (
    "12.03.2026;1 250,50;1 350,50;faktura 4410;Jonas;A1\n"
    "12.03.2026;-4,50;1 346,00;prowizja;Bank;A2\n"
    "13.03.2026;10,00;1 356,00;wpłata;Anna;A3\n"
)


def saved(document: dict[str, Any], by: Any, currency: str = "pln") -> UUID:
    account = bank_account("PL61109010140000071219812874", currency, form="csv", calendar="PL")
    with transaction():
        mappings.save(account, document, by=by)
    return account


def read(desk: Desk, content: str | bytes, account: UUID) -> StatementImport:
    return desk.take(content, "bank.csv", bank_account_id=account)


def test_rows_become_a_statement_of_each_day_with_balances(desk: Desk) -> None:
    account = saved(SIGNED, desk.by)
    row = read(desk, HEAD + ROWS, account)
    assert (row.format, row.statements, row.entries, row.refused) == ("csv", 2, 3, 0)
    first, second = statements()
    assert (first.last_day, first.opening_minor, first.closing_minor) == (date(2026, 3, 12), 10_000, 134_600)
    assert (second.opening_minor, second.closing_minor) == (134_600, 135_600)
    assert [each.tie_out for each in statements()] == ["passed", "passed"]
    assert [each.continuity for each in statements()] == ["first", "passed"]
    assert [each.amount_minor for each in lines()] == [125_050, -450, 1_000]
    assert (lines()[0].counterparty, lines()[0].remittance) == ("Jonas", "faktura 4410")


def test_newest_first_says_the_same(desk: Desk) -> None:
    account = saved(SIGNED, desk.by)
    read(desk, HEAD + "".join(reversed(ROWS.splitlines(keepends=True))), account)
    assert [(each.opening_minor, each.closing_minor) for each in statements()] == [
        (10_000, 134_600),
        (134_600, 135_600),
    ]
    assert [each.continuity for each in statements()] == ["first", "passed"]


def test_debit_and_credit_columns_without_a_head(desk: Desk) -> None:
    document = {
        "encoding": "windows-1250", "delimiter": "comma", "decimalMark": "point", "dateFormat": "YYYY-MM-DD",
        "named": False, "skipped": 2,
        "columns": {"booking_date": "1", "debit": "2", "credit": "3", "remittance": "4"},
    }  # fmt: skip
    account = saved(document, desk.by)
    content = 'Wyciąg\n\n2026-03-12,"1,250.50",,"zakup, ł"\n2026-03-12,,7.00,wpłata\n2026-03-12,1.00,1.00,both\n'
    row = read(desk, content.encode("cp1250"), account)
    assert [each.amount_minor for each in lines()] == [-125_050, 700]
    assert lines()[0].remittance == "zakup, ł"
    assert row.failures["rows"][0]["where"] == "line 5"
    assert statements()[0].tie_out == "unknown"


DIRECTED: dict[str, Any] = {
    **SIGNED, "debitWord": "Obciążenie", "creditWord": "U",
    "columns": {"booking_date": "Data", "amount": "Kwota", "direction": "Typ", "reference": "Nr"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "told"),
    [("5,00;Obc", "neither the word"), ("5,00;", "neither the word"), ("-5,00;U", "a minus beside a direction"),
     ("-5,00;Obciążenie", "a minus beside a direction")],
)  # fmt: skip
def test_a_direction_that_is_not_understood_refuses_its_row(desk: Desk, cells: str, told: str) -> None:
    account = saved(DIRECTED, desk.by)
    row = read(desk, f"Data;Kwota;Typ;Nr\n12.03.2026;{cells};A\n12.03.2026;6,00;U;B\n", account)
    assert (row.entries, row.refused) == (1, 1)
    assert told in row.failures["rows"][0]["reason"]
    assert [each.amount_minor for each in lines()] == [600]


@pytest.mark.parametrize(("minus_debits", "minor"), [(False, [-500, 500, -600, 600]), (True, [500, -500, -600, 600])])
def test_a_minus_in_a_debit_or_credit_column_keeps_its_meaning(
    desk: Desk, minus_debits: bool, minor: list[int]
) -> None:
    document = {
        **SIGNED, "minusDebits": minus_debits,
        "columns": {"booking_date": "Data", "debit": "Wn", "credit": "Ma", "reference": "Nr"},
    }  # fmt: skip
    account = saved(document, desk.by)
    rows = ["5,00;;A", "-5,00;;B", ";-6,00;C", ";6,00;D"]
    read(desk, "Data;Wn;Ma;Nr\n" + "".join(f"12.03.2026;{each}\n" for each in rows), account)
    assert [each.amount_minor for each in lines()] == minor


def test_a_direction_column_gives_the_sign(desk: Desk) -> None:
    account = saved(DIRECTED, desk.by)
    read(desk, "Data;Kwota;Typ;Tytuł;Nadawca;Nr\n12.03.2026;5,00;obciążenie;x;y;A\n12.03.2026;6,00;U;x;y;B\n", account)
    assert [each.amount_minor for each in lines()] == [-500, 600]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("31.02.2026;1,00;;;;\n", "no date"),
        ("2026-03-12;1,00;;;;\n", "no date"),
        ("12.03.2026;1.23;;;;\n", "no number"),
        ("12.03.2026;eins;;;;\n", "no number"),
        ("12.03.2026;1,005;;;;\n", "3 decimals"),
        ("12.03.2026;1,00;x;;;\n", "balance is no number"),
        ("12.03.2026\n", "1 columns"),
    ],
)
def test_a_row_that_cannot_be_taken_says_why_and_where(desk: Desk, rows: str, told: str) -> None:
    account = saved(SIGNED, desk.by)
    row = read(desk, HEAD + "11.03.2026;5,00;;;;Z\n" + rows, account)
    assert (row.entries, row.refused) == (1, 1)
    assert told in row.failures["rows"][0]["reason"]
    assert row.failures["rows"][0]["where"] == "line 3"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("Date;Amount\n1;2\n", "no column"),
        (HEAD + '12.03.2026;"1,00', "no such CSV"),
        (HEAD.encode() + b"12.03.2026;1,00;;\xff\xfe;;\n", "not in utf-8"),
        (HEAD + "12.03.2026;1,00;;;;\n13.03.2026;1,00;;;;\n12.03.2026;1,00;;;;\n", "order of their days"),
        (HEAD + "12.03.2026;1,00;;" + "x" * 20_000 + ";;\n", "no such CSV"),
        (HEAD + "x" * 5_000 + "12.03.2026;1\x00,00;;;;\n", "NUL"),
    ],
)
def test_a_file_of_another_shape_is_refused_whole(desk: Desk, content: str | bytes, told: str) -> None:
    account = saved(SIGNED, desk.by)
    with pytest.raises(Unreadable, match=told):
        desk.read(content, "bank.csv", bank_account_id=account)
    assert not entries()


def test_a_row_in_another_currency_is_refused(desk: Desk) -> None:
    account = saved({**SIGNED, "columns": {**SIGNED["columns"], "currency": "Waluta"}}, desk.by)
    row = read(desk, HEAD.strip() + ";Waluta\n12.03.2026;5,00;;;;A;PLN\n12.03.2026;5,00;;;;B;EUR\n", account)
    assert row.failures["rows"][0]["reason"] == "The row is in EUR, the account in PLN."


def test_a_csv_file_without_a_mapping_is_told_so(desk: Desk) -> None:
    account = bank_account(form="csv")
    for chosen in (None, account):
        with pytest.raises(Refused, match="saved mapping"):
            desk.read(HEAD + ROWS, "bank.csv", bank_account_id=chosen)


def test_a_longer_export_of_a_day_adds_only_what_is_new(desk: Desk) -> None:
    document = {**SIGNED, "columns": {**SIGNED["columns"]}}
    document["columns"].pop("reference")
    account = saved(document, desk.by)
    fee = "12.03.2026;-1,00;;fee;Bank;\n"
    read(desk, HEAD + fee + fee, account)
    row = read(desk, HEAD + fee + fee + fee, account)
    assert row.repeated == 2
    assert [each.amount_minor for each in lines()] == [-100, -100, -100]


def test_a_change_of_the_mapping_is_a_new_version_and_imports_keep_theirs(desk: Desk) -> None:
    account = saved(SIGNED, desk.by)
    row = read(desk, HEAD + ROWS, account)
    with transaction():
        assert mappings.save(account, SIGNED, by=desk.by).version == 1
        assert mappings.save(account, {**SIGNED, "dateFormat": "DD/MM/YYYY"}, by=desk.by).version == 2
    kept = [each for each in mappings.versions(account) if each.id == row.mapping_id]
    assert [each.version for each in kept] == [1]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"encoding": "klingon"}, "encoding"),
        ({"delimiter": ""}, "delimiter"),
        ({"dateFormat": "whenever"}, "dateFormat"),
        ({"columns": {"amount": "Kwota"}}, "bookingDate"),
        ({"columns": {"booking_date": "Data"}}, "amount"),
        ({"columns": {"booking_date": "Data", "amount": "K", "debit": "D", "credit": "C"}}, "amount"),
        ({"columns": {"booking_date": "Data", "debit": "D"}}, "amount"),
        ({"columns": {"booking_date": "Data", "amount": "K", "colour": "X"}}, "columns"),
        ({"skipped": 101}, "skipped"),
        ({"columns": {**DIRECTED["columns"]}, "debitWord": "D"}, "creditWord"),
        ({"columns": {**DIRECTED["columns"]}, "creditWord": "C"}, "debitWord"),
        ({"columns": {**DIRECTED["columns"]}, "debitWord": "x", "creditWord": "X"}, "creditWord"),
        ({"named": False, "columns": {"booking_date": "Data", "amount": "2"}}, "bookingDate"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused_by_field(desk: Desk, change: dict[str, Any], field: str) -> None:
    account = bank_account()
    with pytest.raises(Invalid) as caught, transaction():
        mappings.save(account, {**SIGNED, **change}, by=desk.by)
    assert field in {each.field for each in caught.value.errors}
    assert mappings.current(account) is None


def test_who_only_reads_saves_no_mapping(desk: Desk, people: People) -> None:
    account = bank_account()
    with pytest.raises(Forbidden), transaction():
        mappings.save(account, SIGNED, by=people.actor(Role.AUDITOR))
    assert session().scalar(mappings.sa.select(mappings.CsvMapping.id)) is None


@pytest.mark.parametrize(
    ("text", "mark", "number"),
    [
        ("1.234,56", ",", "1234.56"), ("1 234,56", ",", "1234.56"), ("1'234.56", ".", "1234.56"),
        ("1,234.56", ".", "1234.56"), ("−5,00", ",", "-5.00"), ("5,00-", ",", "-5.00"), ("(5.00)", ".", "-5.00"),
        ("+7", ".", "7"), ("1.23", ",", None), ("1,23", ".", None), ("1,2,3", ",", None), ("", ".", None),
        ("NaN", ".", None), ("1e5", ".", None), ("١٢", ".", None),
    ],
)  # fmt: skip
def test_amounts_are_read_as_banks_write_them_and_never_guessed(text: str, mark: str, number: str | None) -> None:
    assert amount_of(text, mark) == (None if number is None else Decimal(number))
