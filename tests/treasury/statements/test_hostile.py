"""Files that nobody should send: each is told what is wrong with it, and nothing of it stays."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from dashboard.database import session, transaction
from dashboard.errors import DomainError, Refused
from dashboard.treasury.statements.models import Statement, StatementEntry, StatementImport
from dashboard.treasury.statements.reading import camt as reading
from dashboard.treasury.statements.reading.stream import Unreadable
from dashboard.treasury.statements.services import importing
from tests.treasury.statements.conftest import IBAN, Desk, bank_account, lines
from tests.treasury.statements.files import E, S, camt

GOOD = camt(S([E("5.00", ref="A")], "0.00", "5.00"))
NS = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("statement.xml", GOOD)
    return buffer.getvalue()


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE Document [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY a{n} "{"&a;" if n == 0 else f"&a{n - 1};" * 10}">' for n in range(12))
    + f']><Document xmlns="{NS}"><BkToCstmrStmt><Stmt><Id>&a11;</Id></Stmt></BkToCstmrStmt></Document>'
).encode()
OUTSIDE = (
    f'<?xml version="1.0"?><!DOCTYPE Document [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    f'<Document xmlns="{NS}"><BkToCstmrStmt><Stmt><Id>&x;</Id></Stmt></BkToCstmrStmt></Document>'
).encode()
DEEP = f'<Document xmlns="{NS}"><BkToCstmrStmt><Stmt>'.encode() + b"<a>" * 5_000


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (zipped(), "ZIP"),
        (gzip.compress(GOOD), "gzip"),
        (b"%PDF-1.7\n%binary", "PDF"),
        (bytes(range(256)) * 20, "no text"),
        (b"\x7fELF\x02\x01\x01\x00\x00\x00", "no text"),
        (b"<html><body>Not found</body></html>", "no bank statement"),
        (b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn/></Document>', "no bank"),
        (b"<?xml version='1.0'?><Document", "well-formed"),
        (LAUGHS, "document type"),
        (OUTSIDE, "document type"),
        (OUTSIDE.decode().encode("utf-16"), "document type"),
    ],
)
def test_what_is_no_statement_is_told_why(desk: Desk, content: bytes, told: str) -> None:
    bank_account()
    with pytest.raises(Unreadable, match=told):
        desk.read(content)
    assert session().scalar(sa.select(sa.func.count()).select_from(StatementImport)) == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (GOOD[: len(GOOD) - 200], "well-formed"),
        (DEEP, "deeply"),
        (GOOD.replace(b"<BookgDt>", b"<BookgDt>&what;"), "well-formed"),
    ],
)
def test_a_file_that_breaks_in_its_midst_is_told_and_leaves_nothing(desk: Desk, content: bytes, told: str) -> None:
    bank_account()
    with pytest.raises(Unreadable, match=told):
        desk.read(content)
    for table in (Statement, StatementEntry):
        assert session().scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_what_was_read_before_a_file_broke_goes_when_it_is_failed(desk: Desk) -> None:
    bank_account()
    path = desk.file(GOOD)
    with transaction():
        row = importing.begin(path, name="x", source="page", by=desk.by)
        importing.fail(row.id, because="It broke.", by=desk.by)
    assert (row.state, row.reason) == ("failed", "It broke.")


def test_an_unknown_account_is_nothing_to_import(desk: Desk) -> None:
    row = desk.read(GOOD)
    assert (row.statements, row.refused) == (0, 1)
    with pytest.raises(Refused, match="no bank account of the house"), transaction():
        importing.commit(row.id, by=desk.by)


def test_an_account_in_another_currency_is_told(desk: Desk) -> None:
    bank_account(currency="usd")
    row = desk.read(GOOD)
    assert "is in EUR; it is registered in USD" in row.failures["rows"][0]["reason"]


def test_a_currency_that_nobody_keeps_is_told(desk: Desk) -> None:
    bank_account()
    row = desk.read(camt(S([E("5.00", ref="A", currency="DEM")], "0.00", "5.00", currency="DEM")))
    assert row.failures["rows"][0]["reason"] == "DEM is no currency that is kept here."


@pytest.mark.parametrize(
    "amount", ["1e400", "NaN", "Infinity", "-", "1,00", "", "99999999999999999999", "1234567890123456.00"]
)
def test_amounts_that_are_none_refuse_their_row_and_no_other(desk: Desk, amount: str) -> None:
    bank_account()
    row = desk.take(camt(S([E(amount, ref="BAD"), E("5.00", ref="A")], "0.00", "5.00")))
    assert (row.entries, row.refused) == (1, 1)
    assert "amount" in row.failures["rows"][0]["reason"]


@pytest.mark.parametrize("day", ["2026-02-30", "0001-01-01", "soon", "", "9999-12-31"])
def test_days_that_are_none_refuse_their_row(desk: Desk, day: str) -> None:
    bank_account()
    row = desk.take(camt(S([E("6.00", ref="BAD", day=day), E("5.00", ref="A")], "0.00", "5.00")))
    assert (row.entries, row.refused) == (1, 1)


def test_neither_credit_nor_debit_is_refused(desk: Desk) -> None:
    bank_account()
    content = GOOD.replace(b"<CdtDbtInd>CRDT</CdtDbtInd><Sts>", b"<CdtDbtInd>BOTH</CdtDbtInd><Sts>")
    assert desk.read(content).failures["rows"][0]["reason"] == "The entry says neither credit nor debit."


def test_wrong_elements_in_wrong_places_end_nothing(desk: Desk) -> None:
    """Texts where branches belong and branches where texts belong."""
    bank_account()
    branch = b"<a><b>1</b></a>"
    for tag in (b"Id", b"Sts", b"BkTxCd", b"RmtInf", b"Refs", b"RltdPties", b"AcctSvcrRef", b"AddtlNtryInf", b"CreDtTm",
                b"BookgDt", b"NtryDtls", b"Acct"):  # fmt: skip
        text = GOOD.replace(b"<" + tag + b">", b"<" + tag + b">" + branch, 1)
        wrong = GOOD.replace(b"<" + tag + b">", b"<" + tag + b">words</" + tag + b"><" + tag + b">", 1)
        for content in (text, wrong):
            try:
                with transaction():
                    desk.read(content)
            except (Unreadable, DomainError):
                session().rollback()


def test_more_refusals_than_are_kept_are_counted(desk: Desk) -> None:
    bank_account()
    row = desk.take(camt(S([E("1.001", ref=f"R{n}") for n in range(1_100)] + [E("5.00", ref="A")], "0.00", "5.00")))
    assert row.refused == 1_100
    assert len(row.failures["rows"]) == 1_000


def test_names_of_files_are_cleaned(desk: Desk) -> None:
    bank_account()
    row = desk.read(GOOD, "x").file_name
    assert row == "x"
    path = desk.file(GOOD)
    with transaction():
        assert (
            importing.begin(path, name="../../etc/pass\x00wd\n.xml", source="page", by=desk.by).file_name
            == "pass_wd_.xml"
        )
        assert len(importing.begin(path, name="n" * 999, source="page", by=desk.by).file_name) == 200


def entries_without_end(path: Path, count: int) -> None:
    head, tail = camt(S([E("1.00", ref="X")], "0.00", "1.00")).split(b"<Ntry>")
    entry, tail = tail.split(b"</Ntry>")
    with path.open("wb") as file:
        file.write(head)
        for number in range(count):
            file.write(b"<Ntry>" + entry.replace(b">X<", f">X{number}<".encode()) + b"</Ntry>")
        file.write(tail)


def _peak(path: Path) -> int:
    tracemalloc.start()
    count = sum(1 for _ in reading.items(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count
    return peak


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    entries_without_end(small, 200)
    entries_without_end(large, 6_000)
    assert _peak(large) < _peak(small) + 200_000


def test_what_never_becomes_complete_is_refused_before_memory_is_full(tmp_path: Path) -> None:
    path = tmp_path / "endless"
    with path.open("wb") as file:
        file.write(f'<Document xmlns="{NS}"><BkToCstmrStmt><Stmt><Ntry>'.encode())
        for _ in range(300):
            file.write(b"<x>" + b"y" * 40_000 + b"</x>")
    with pytest.raises(Unreadable, match="larger than any bank writes"):
        list(reading.items(path))


def test_no_reason_ever_holds_a_whole_account_number(desk: Desk) -> None:
    bank_account(currency="usd")
    assert IBAN not in str(desk.read(GOOD).failures)
    assert not lines()
