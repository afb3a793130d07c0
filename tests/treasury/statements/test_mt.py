"""MT940 and MT942 in the shapes that banks write: each file here is made up."""

from __future__ import annotations

from datetime import date

import pytest

from dashboard.treasury.statements import queries
from dashboard.treasury.statements.reading.stream import Unreadable
from tests.treasury.statements.conftest import IBAN, Desk, bank_account, entries, lines, statements


def mt(
    *rows: str,
    number: str = "1/1",
    opening: str = "C260312EUR100,00",
    closing: str = "C260312EUR130,00",
    account: str = IBAN,
) -> str:
    body = "\n".join(rows)
    return f":20:STARTUMS\n:25:{account}\n:28C:{number}\n:60F:{opening}\n{body}\n:62F:{closing}\n-\n"  # fmt: skip


ONE = mt(":61:2603120312C50,00NTRFE2E-1//BANK-1", ":86:anything", ":61:2603120312D20,00NMSCNONREF//BANK-2", ":86:fee")


def take(desk: Desk, content: str | bytes, name: str = "day.sta"):  # type: ignore[no-untyped-def]
    return desk.take(content, name)


def test_a_statement_ties_out_and_keeps_both_references(desk: Desk) -> None:
    account = bank_account(form="mt940")
    row = take(desk, ONE)
    assert (row.format, row.statements, row.entries, row.refused) == ("mt940", 1, 2, 0)
    [statement] = statements()
    assert (statement.opening_minor, statement.closing_minor, statement.tie_out) == (10_000, 13_000, "passed")
    assert (statement.sequence, statement.page, statement.last_day) == (1, 1, date(2026, 3, 12))
    credit, debit = lines()
    assert (credit.amount_minor, credit.provider_reference) == (5_000, "BANK-1")
    assert set(credit.bank_references) == {"BANK-1", "E2E-1"}
    assert debit.bank_references == ["BANK-2"]
    assert queries.closing(account, date(2026, 3, 12)).minor == 13_000


SWIFT = "{{1:F01BANKLT22XXXX0000000000}}{{2:O940BANKLT22XXXXN}}{{3:}}{{4:\n{}-}}{{5:}}\n"


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("around", ["{}", SWIFT, ":940:\n{}", "\n\n{}"])
def test_what_stands_around_a_message_is_passed_over(desk: Desk, around: str, ending: str) -> None:
    bank_account(form="mt940")
    take(desk, around.format(ONE).replace("\n", ending))
    assert statements()[0].tie_out == "passed"
    assert len(lines()) == 2


def test_lines_of_a_bank_before_the_message_are_passed_over(desk: Desk) -> None:
    bank_account(form="mt940")
    take(desk, "0000 01BANKLT22XXXX00001\n0000 01BANKLT22XXXX00001\n940 00\n" + ONE)
    assert statements()[0].tie_out == "passed"


def test_statements_of_a_file_stay_apart(desk: Desk) -> None:
    bank_account(form="mt940")
    second = mt(":61:2603130313C1,00NTRFNONREF//BANK-3", number="2/1", opening="C260312EUR130,00",
                closing="C260313EUR131,00")  # fmt: skip
    empty = mt(number="3/1", opening="C260313EUR131,00", closing="C260314EUR131,00").replace("\n\n", "\n")
    row = take(desk, ONE + second + empty)
    assert (row.statements, row.entries) == (3, 3)
    assert [(each.opening_minor, each.closing_minor) for each in statements()] == [
        (10_000, 13_000), (13_000, 13_100), (13_100, 13_100),
    ]  # fmt: skip
    assert [each.continuity for each in statements()] == ["first", "passed", "passed"]


def test_pages_of_a_statement_follow_one_another(desk: Desk) -> None:
    bank_account(form="mt940")
    first = mt(":61:2603120312C50,00NTRFNONREF//A", number="7/1", closing="C260312EUR150,00").replace(":62F:", ":62M:")
    second = mt(":61:2603120312D20,00NTRFNONREF//B", number="7/2", opening="C260312EUR150,00").replace(":60F:", ":60M:")
    take(desk, first + second)
    assert [each.tie_out for each in statements()] == ["passed", "passed"]
    assert "failed" not in [each.continuity for each in statements()]
    assert len(lines()) == 2


def test_asn_bank_writes_an_account_where_a_reference_belongs(desk: Desk) -> None:
    bank_account("NL81ASNB9999999999", form="mt940")
    take(desk, mt(":61:2603120312C30,00NIOBNL56ASNB8888888888\nJ Jansen", ":86:NL56ASNB8888888888 J Jansen\n\nVrijdag",
                  account="NL81ASNB9999999999"))  # fmt: skip
    [line] = lines()
    assert (line.amount_minor, line.counterparty_account, line.counterparty) == (
        3_000,
        "NL56ASNB8888888888",
        "J Jansen",
    )


def test_german_subfields_are_told_apart(desk: Desk) -> None:
    bank_account(form="mt940")
    text = (
        ":86:166?00GUTSCHRIFT?100599?20EREF+E2E-77?21SVWZ+Rechnung 4410?22 vom Maerz?30DEUTDEFF"
        "?31DE89370400440532013000?32Mueller GmbH?33 und Co"
    )
    take(desk, mt(":61:2603120312CR30,00NTRFNONREF//X1", text))
    [line] = lines()
    assert (line.end_to_end_id, line.counterparty_account) == ("E2E-77", "DE89370400440532013000")
    assert line.counterparty == "Mueller GmbH und Co"
    assert line.remittance == "Rechnung 4410 vom Maerz"


def test_slashed_words_are_told_apart(desk: Desk) -> None:
    bank_account(form="mt940")
    take(desk, mt(":61:260312C000000000030,00N102EREF\nNL70ABNA0987654321",
                  ":86:/EREF/2026-77/BENM//NAME/CONTRA HOLDE\nR/REMI/invoice 4410/ISDT/2026-03-12"))  # fmt: skip
    [line] = lines()
    assert (line.end_to_end_id, line.counterparty, line.remittance) == ("2026-77", "CONTRA HOLDER", "invoice 4410")


@pytest.mark.parametrize(("mark", "minor"), [("C", 3_000), ("D", -3_000), ("RC", -3_000), ("RD", 3_000)])
def test_a_reversal_goes_the_other_way(desk: Desk, mark: str, minor: int) -> None:
    bank_account(form="mt940")
    take(desk, mt(f":61:2603120312{mark}30,00NTRFNONREF//X1"))
    [entry] = entries()
    assert (entry.amount_minor, entry.reversal) == (minor, mark.startswith("R"))


def test_a_line_that_cannot_be_read_refuses_itself_alone(desk: Desk) -> None:
    bank_account(form="mt940")
    row = take(desk, mt(":61:2603120312C50,00NTRFNONREF//A", ":61:nonsense", ":86:x",
                        ":61:2603120312D20,00NTRFNONREF//B"))  # fmt: skip
    assert (row.entries, row.refused) == (2, 1)
    assert row.failures["rows"][0] == {
        "where": "statement 1, entry 2", "reason": "The line :61: cannot be read.", "reference": None,
    }  # fmt: skip
    assert statements()[0].tie_out == "passed"


def test_the_thirtieth_of_february_is_a_day_of_february(desk: Desk) -> None:
    bank_account(form="mt940")
    row = take(desk, mt(":61:2602300312C30,00NTRFNONREF//A"))
    assert (row.entries, row.refused) == (1, 0)
    assert entries()[0].booking_date == date(2026, 3, 12)


def test_alike_small_credits_with_references_of_their_own_are_all_kept(desk: Desk) -> None:
    bank_account(form="mt940")
    rows = [f":61:2603120312CN10,00NTRFNONREF//REF{number}\n911-COLLECT" for number in range(3)]
    row = take(desk, mt(*rows))
    assert row.entries == 3
    assert len(lines()) == 3


def test_interim_reports_of_mt942_are_shown_and_never_matched(desk: Desk) -> None:
    account = bank_account(form="mt940")
    row = take(desk, f":20:R1\n:25:{IBAN}\n:28C:3917/1\n:34F:EURD0,00\n:34F:EURC0,00\n:13D:2603121730+0000\n"
                     ":61:2603120312D0,42MCI0NONREF//0550\nextra\n:86:REMIT:costs\n:90D:1EUR0,42\n")  # fmt: skip
    assert (row.format, row.statements, row.entries) == ("mt942", 1, 1)
    assert statements()[0].kind == "interim"
    assert not lines()
    assert queries.closing(account, date(2026, 3, 12)).minor is None


INTERIM = (f":20:R1\n:25:{IBAN}\n:28C:1/1\n:34F:EURD0,\n:13D:2603121200+0100\n"
           ":61:2603120312C5,00NTRFNONREF//B1\n:90D:0EUR0,\n:90C:1EUR5,\n-\n")  # fmt: skip
DAY = mt(":61:2603120312C5,00NTRFNONREF//B1", number="2/1", closing="C260312EUR105,00")


def test_messages_of_both_kinds_in_a_file_keep_their_kinds(desk: Desk) -> None:
    bank_account(form="mt940")
    for content in (INTERIM + DAY, DAY + "\n" + INTERIM):
        row = take(desk, content)
        assert (row.statements, row.entries, row.refused) == (2, 2, 0)
        [day] = [each for each in statements() if each.kind == "statement"]
        assert (day.closing_minor, day.tie_out) == (10_500, "passed")
        assert {each.kind for each in statements()} == {"statement", "interim"}
        assert [each.amount_minor for each in lines()] == [500]


@pytest.mark.parametrize(("announced", "kinds"), [("940", ["statement"] * 2), ("942", ["interim", "statement"])])
def test_what_a_message_is_announced_as_counts(desk: Desk, announced: str, kinds: list[str]) -> None:
    """Also where a bank writes the blocks of the next message behind the end of one."""
    bank_account(form="mt940")
    bare = DAY.replace("-\n", "")
    second = (
        bare.replace(":28C:2/1", ":28C:3/1").replace("//B1", "//B2").replace("C260312EUR100,00", "C260312EUR105,00")
    )
    second = second.replace(":62F:C260312EUR105,00", ":62F:C260312EUR110,00")
    content = f"{{1:F01X}}{{2:O940X}}{{4:\n{bare}-}}{{5:}}{{1:F01X}}{{2:O{announced}X}}{{4:\n{second}-}}{{5:}}\n"
    take(desk, content)
    assert sorted(each.kind for each in statements()) == kinds


@pytest.mark.parametrize("encoding", ["utf-8", "cp1250", "latin-1"])
def test_texts_in_other_encodings_are_read(desk: Desk, encoding: str) -> None:
    bank_account(form="mt940")
    take(desk, mt(":61:2603120312C30,00NTRFNONREF//A", ":86:Müller é").encode(encoding))
    assert lines()[0].remittance == "Müller é"


def test_many_entries_are_read_piece_by_piece(desk: Desk) -> None:
    bank_account(form="mt940")
    rows = [f":61:2603120312C1,00NTRFNONREF//R{number}" for number in range(450)]
    row = take(desk, mt(*rows, closing="C260312EUR550,00"))
    assert row.entries == 450
    assert statements()[0].tie_out == "passed"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (":20:X\n" + "y" * 10_000, "too long"),
        (":20:X\n" + ":34F:EUR0,00\n" * 500, "more lines"),
    ],
)
def test_what_no_bank_writes_is_refused(desk: Desk, content: str, told: str) -> None:
    bank_account(form="mt940")
    with pytest.raises(Unreadable, match=told):
        desk.read(content, "x.sta")


def test_a_statement_that_ends_too_early_says_what_is_missing(desk: Desk) -> None:
    bank_account(form="mt940")
    take(desk, ONE[: ONE.index(":62F:")])
    assert (statements()[0].closing_minor, statements()[0].tie_out) == (None, "unknown")


def test_nothing_of_a_statement_reaches_the_log(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    bank_account(form="mt940")
    take(desk, mt(":61:2603120312C50,00NTRFNONREF//SECRET", ":61:SECRET nonsense", ":86:SECRET"))
    assert "SECRET" not in caplog.text
