"""camt files: read whole, stored as told, tied out."""

from __future__ import annotations

from datetime import date

import pytest

from dashboard.treasury.statements import queries
from tests.treasury.statements.conftest import IBAN, OTHER, Desk, bank_account, entries, lines, statements
from tests.treasury.statements.files import E, S, camt

TWO = S([E("50.00", ref="R1", e2e="E1"), E("20.00", "-", ref="R2")], "100.00", "130.00")


@pytest.mark.parametrize("version", ["02", "03", "04", "06", "08", "10", "12", "13"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_every_version_of_camt_053_is_read_and_ties_out(desk: Desk, version: str, wrapped: bool) -> None:
    bank_account()
    row = desk.take(camt(TWO, version=version, wrapped=wrapped))
    assert (row.state, row.format, row.statements, row.entries, row.refused) == ("imported", "camt.053", 1, 2, 0)
    [statement] = statements()
    assert (statement.opening_minor, statement.closing_minor, statement.booked_minor) == (10_000, 13_000, 3_000)
    assert (statement.tie_out, statement.continuity, statement.last_day) == ("passed", "first", date(2026, 3, 12))
    [credit, debit] = lines()
    assert (credit.amount_minor, debit.amount_minor) == (5_000, -2_000)
    assert (credit.end_to_end_id, credit.provider_reference, credit.counterparty) == ("E1", "R1", "Jonas Petrauskas")
    assert credit.counterparty_account == "LT121000011101001000"
    assert debit.end_to_end_id is None


@pytest.mark.parametrize("kind", ["052", "054"])
def test_reports_and_notifications_are_shown_and_never_matched(desk: Desk, kind: str) -> None:
    account = bank_account()
    row = desk.take(camt(TWO, kind=kind))
    assert (row.statements, row.entries) == (1, 2)
    assert not lines()
    assert len(lines(matchable=False)) == 2
    assert queries.of_day(account, date(2026, 3, 12)) is None
    assert queries.closing(account, date(2026, 3, 12)).minor is None


def test_a_statement_without_entries_gives_its_balance(desk: Desk) -> None:
    account = bank_account()
    desk.take(camt(S([], "100.00", "100.00")))
    assert queries.closing(account, date(2026, 3, 12)).minor == 10_000
    assert statements()[0].tie_out == "passed"


def test_several_statements_of_a_file_stay_apart_and_follow_one_another(desk: Desk) -> None:
    bank_account()
    bank_account(OTHER)
    desk.take(
        camt(
            S([E("1.00", ref="A")], "0.00", "1.00", number=1),
            S([E("2.00", ref="B", day="2026-03-13")], "1.00", "3.00", day="2026-03-13", number=2, id="STM-2"),
            S([E("9.00", ref="C")], "0.00", "9.00", account=OTHER, id="STM-3"),
        )
    )
    assert [each.continuity for each in statements() if each.sequence] == ["first", "passed"]
    assert len(statements()) == 3


def test_details_that_add_up_are_matched_one_by_one(desk: Desk) -> None:
    bank_account()
    desk.take(camt(S([E("30.00", ref="B1", details=["10.00", "25.00", "-5.00"])], "0.00", "30.00")))
    assert [each.amount_minor for each in lines()] == [1_000, 2_500, -500]
    assert {each.batch_reference for each in lines()} == {"BATCH-B1"}
    assert [each.position for each in lines()] == [1, 2, 3]
    assert statements()[0].tie_out == "passed"


@pytest.mark.parametrize("details", [["10.00", "25.00"], ["USD 10.00", "USD 20.00"]])
def test_details_that_do_not_add_up_are_kept_and_the_entry_is_matched_whole(desk: Desk, details: list[str]) -> None:
    bank_account()
    desk.take(camt(S([E("30.00", ref="B1", details=details)], "0.00", "30.00")))
    [line] = lines()
    assert (line.position, line.amount_minor) == (0, 3_000)
    assert len(lines(matchable=False)) == 2
    assert "transactions of the entry" in statements()[0].remarks[0]


def test_decimals_that_the_currency_does_not_have_refuse_the_row_and_zeros_do_not(desk: Desk) -> None:
    bank_account()
    row = desk.take(camt(S([E("8.85000", ref="A"), E("8.855", ref="B")], "10.000", "27.705")))
    assert (row.entries, row.refused) == (1, 1)
    [told] = row.failures["rows"]
    assert told == {
        "where": "statement 1, entry 2", "reference": "B",
        "reason": "The amount has 3 decimals, EUR has 2. Nothing is rounded.",
    }  # fmt: skip
    assert lines()[0].amount_minor == 885
    # 27.705 is no amount of euros: the balance is unknown, not rounded
    assert (statements()[0].closing_minor, statements()[0].tie_out) == (None, "unknown")


def test_pending_entries_are_kept_and_count_for_nothing(desk: Desk) -> None:
    bank_account()
    desk.take(camt(S([E("5.00", ref="A"), E("7.00", ref="P", status="PDNG")], "0.00", "5.00")))
    assert statements()[0].tie_out == "passed"
    assert [each.amount_minor for each in lines()] == [500]
    assert [each.status for each in entries()] == ["booked", "pending"]


def test_a_reversal_keeps_the_direction_that_the_bank_says(desk: Desk) -> None:
    bank_account()
    desk.take(camt(S([E("5.00", "-", ref="A", reversal=True)], "10.00", "5.00")))
    [entry] = entries()
    assert (entry.amount_minor, entry.reversal) == (-500, True)
    assert statements()[0].tie_out == "passed"


def test_a_balance_in_another_currency_is_unknown(desk: Desk) -> None:
    bank_account()
    desk.take(camt(S([E("8.85", ref="A")], "18.15", "27.00", closing_currency="SEK", currency=None)))
    [statement] = statements()
    assert (statement.closing_minor, statement.tie_out) == (None, "unknown")
    assert "SEK" in statement.remarks[0]


def test_an_entry_in_another_currency_is_refused_by_name(desk: Desk) -> None:
    bank_account()
    row = desk.take(camt(S([E("5.00", ref="A"), E("7.00", ref="X", currency="SEK")], "0.00", "5.00")))
    assert row.failures["rows"][0]["reason"].startswith(
        "The entry is in SEK, the account in EUR, and no amount is told"
    )


def test_a_failed_tie_out_is_imported_and_told(desk: Desk) -> None:
    bank_account()
    row = desk.take(camt(S([E("5.00", ref="A")], "0.00", "6.00")))
    assert row.state == "imported"
    assert statements()[0].tie_out == "failed"
    assert [each.id for each in queries.findings()] == [statements()[0].id]


@pytest.mark.parametrize(
    ("balance", "number", "told"), [("6.00", 2, "failed"), ("5.00", 4, "failed"), ("5.00", 2, "passed")]
)
def test_a_gap_of_balances_or_numbers_breaks_the_chain(desk: Desk, balance: str, number: int, told: str) -> None:
    bank_account()
    desk.take(camt(S([E("5.00", ref="A")], "0.00", "5.00", number=1)))
    desk.take(camt(S([], balance, balance, day="2026-03-13", number=number, id="STM-2")))
    assert [each.continuity for each in statements()] == ["first", told]
    gap = queries.gap(statements()[1])
    assert gap.expected_minor == (500 if balance == "6.00" else None)
    assert gap.missing == ((2, 3) if number == 4 else None)


def test_another_format_than_the_register_expects_is_told(desk: Desk) -> None:
    bank_account(form="mt940")
    desk.take(camt(TWO))
    assert statements()[0].remarks == ["The register expects mt940 of this account, this is camt.053."]


def test_an_account_by_its_own_number_and_an_overdrawn_one_are_read(desk: Desk) -> None:
    bank_account("0001234567")
    desk.take(camt(S([E("5.00", "-", ref="A")], "-1.00", "-6.00", account="0001234567")))
    assert (statements()[0].opening_minor, statements()[0].tie_out) == (-100, "passed")


def test_unicode_is_kept_as_it_is_written(desk: Desk) -> None:
    bank_account()
    text = "Łukasz Žukauskas & сын 東京 <10>"
    desk.take(camt(S([E("5.00", ref="A", text=text)], "0.00", "5.00")))
    assert entries()[0].text == text
    assert lines()[0].remittance == text


def test_other_encodings_are_read(desk: Desk) -> None:
    bank_account()
    for number, encoding in enumerate(("utf-16", "iso-8859-1"), 1):
        day = f"2026-03-1{number}"
        row = desk.take(
            camt(S([E("5.00", ref=f"A{number}", text="é", day=day)], "0.00", "5.00", day=day), encoding=encoding)
        )
        assert row.entries == 1
    assert {each.text for each in entries()} == {"é"}


def test_the_account_is_the_one_that_the_file_names(desk: Desk) -> None:
    bank_account()
    row = desk.read(camt(TWO, S([E("1.00", ref="Z")], "0.00", "1.00", account="LT601010012345678901", id="STM-2")))
    assert (row.statements, row.refused) == (1, 1)
    assert row.failures["rows"][0]["reason"].startswith("The account …8901 is no bank account of the house")
    assert IBAN not in str(row.failures)


def other_currency(beside: str, *, details: list[str] | None = None, account_currency: str | None = None) -> bytes:
    """An entry told in kronor on an account that is kept in euro."""
    said = S([E("1000.00", "-", currency="SEK", ref="FX", details=details, raw=beside)], None, None,
             currency=account_currency)  # fmt: skip
    return camt(said)


def amounts(**told: str) -> str:
    rows = "".join(
        f'<{name}><Amt Ccy="{said.split()[0]}">{said.split()[1]}</Amt></{name}>' for name, said in told.items()
    )
    return f"<AmtDtls>{rows}</AmtDtls>"


def test_an_entry_in_another_currency_is_taken_at_what_the_bank_says_it_moved(desk: Desk) -> None:
    bank_account()
    row = desk.take(other_currency(amounts(InstdAmt="SEK 1000.00", CntrValAmt="EUR 88.40")))
    assert (row.entries, row.refused) == (1, 0)
    [line] = lines()
    assert (line.amount_minor, line.currency) == (-8_840, "eur")
    assert any("told in SEK" in each for each in statements()[0].remarks)


@pytest.mark.parametrize(
    ("beside", "told"),
    [("", "no amount is told"), (amounts(InstdAmt="EUR 88.40"), "no amount is told"),
     (amounts(TxAmt="EUR 88.40", CntrValAmt="EUR 88.10"), "more than one amount is told")],
)  # fmt: skip
def test_an_entry_in_another_currency_is_never_converted(desk: Desk, beside: str, told: str) -> None:
    """The statement stands and says what was refused, also where only its entries name a currency."""
    bank_account()
    row = desk.take(other_currency(beside))
    assert (row.statements, row.entries, row.refused) == (1, 0, 1)
    assert told in row.failures["rows"][0]["reason"]
    assert row.failures["rows"][0]["reference"] == "FX"
    assert not lines()


def test_the_currency_of_entries_tells_accounts_of_one_number_apart(desk: Desk) -> None:
    bank_account()
    krona = bank_account(currency="sek")
    desk.take(other_currency(""))
    assert [(each.bank_account_id, each.amount_minor) for each in lines()] == [(krona, -100_000)]


@pytest.mark.parametrize("sign", ["+", "-"])
def test_an_amount_with_a_minus_of_its_own_is_refused(desk: Desk, sign: str) -> None:
    bank_account()
    row = desk.take(camt(S([E("-5.00", sign, ref="A"), E("2.00", ref="B")], "10.00", "12.00")))
    assert (row.entries, row.refused) == (1, 1)
    assert row.failures["rows"][0]["reference"] == "A"
    assert [each.amount_minor for each in lines()] == [200]
