"""Each pass finds what it says it finds, and leaves the rest."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import Flask

from dashboard.database import session, transaction
from dashboard.treasury.matching.models import MatchLine
from dashboard.treasury.matching.passes import reference
from dashboard.treasury.matching.passes.board import EVERY_PAIR, Board, run
from dashboard.treasury.matching.vocabulary import Pass
from tests.treasury.matching.conftest import Desk, Told


def found(desk: Desk, state: str = "live") -> list[tuple[str, int, int, int]]:
    return sorted((one.found_by, one.amount_minor, one.lines, one.transactions) for one in desk.matches(state))


def test_a_reference_amount_and_currency_match(desk: Desk) -> None:
    desk.ledger(1_000, "REF-1001")
    desk.ledger(-2_000, "REF-1002")
    desk.file(Told(1_000, ref="REF-1001"), Told(-2_000, e2e="ref1002"))
    run = desk.run(desk.close())
    assert found(desk) == [("reference", -2_000, 1, 1), ("reference", 1_000, 1, 1)]
    assert desk.open_items() == set()
    assert run.figures["passes"][0] == {"pass": "reference", "matched": 2, "proposed": 0}
    assert "REF1002" in desk.matches()[-1].why or "REF1002" in desk.matches()[0].why


def test_a_reference_with_another_amount_is_no_match(desk: Desk) -> None:
    desk.ledger(1_250_00, "REF-1001")
    desk.file(Told(1_245_50, ref="REF-1001"))
    desk.run(desk.close())
    assert found(desk) == []
    [one] = desk.breaks()
    assert (one.kind, one.difference_minor, one.cause) == ("amountDiffers", -4_50, "feeKept")


def test_our_reference_in_the_banks_text_matches(desk: Desk) -> None:
    desk.ledger(700, "OUT-552177")
    desk.file(Told(700, text="payment /out 552177/ thanks"))
    desk.run(desk.close())
    assert found(desk) == [("text", 700, 1, 1)]


def test_a_short_reference_in_the_text_waits_for_a_person(desk: Desk) -> None:
    desk.ledger(700, "AB1234")
    desk.file(Told(700, text="for ab1234"))
    desk.run(desk.close())
    assert found(desk) == []
    assert found(desk, "proposed") == [("text", 700, 1, 1)]
    assert desk.breaks() == []


def test_a_second_line_of_the_same_reference_is_a_duplicate(desk: Desk) -> None:
    desk.ledger(-1_200_00, "OUT-5521")
    first, second = desk.file(Told(-1_200_00, ref="OUT-5521"), Told(-1_200_00, ref="OUT-5521"))
    desk.run(desk.close())
    assert len(found(desk)) == 1
    [one] = desk.breaks()
    assert (one.kind, one.cause, one.difference_minor) == ("duplicateAtBank", "sentTwice", -1_200_00)
    assert {one.line_id, one.twin_id} == {first, second}


def test_a_duplicate_that_comes_days_later_is_one_too(desk: Desk) -> None:
    desk.ledger(-1_200_00, "OUT-5521")
    desk.file(Told(-1_200_00, ref="OUT-5521"))
    desk.run(desk.close())
    desk.file(Told(-1_200_00, ref="OUT-5521"))
    desk.run(desk.close())
    assert desk.kinds() == [("duplicateAtBank", -1_200_00)]


def test_the_same_amount_day_and_party_is_proposed(desk: Desk) -> None:
    desk.ledger(333_33)
    desk.file(Told(333_33))
    desk.run(desk.close())
    assert found(desk, "proposed") == [("amount", 333_33, 1, 1)]
    assert desk.kinds() == []


def test_two_rows_of_the_same_amount_are_not_guessed(desk: Desk) -> None:
    desk.ledger(333_33)
    desk.ledger(333_33)
    desk.file(Told(333_33))
    desk.run(desk.close())
    assert found(desk) == found(desk, "proposed") == []
    assert desk.kinds() == [("missingInLedger", 333_33)]


def test_lines_of_one_batch_that_add_up_to_one_of_ours_match(desk: Desk) -> None:
    desk.ledger(-60, "BATCH-77")
    desk.file(Told(-10, batch="BATCH-77"), Told(-20, batch="BATCH-77"), Told(-30, batch="BATCH-77"))
    desk.run(desk.close())
    assert found(desk) == [(Pass.BATCH, -60, 3, 1)]


def test_a_batch_that_does_not_add_up_does_not_match(desk: Desk) -> None:
    desk.ledger(-61, "BATCH-77")
    desk.file(Told(-10, batch="BATCH-77"), Told(-20, batch="BATCH-77"), Told(-30, batch="BATCH-77"))
    desk.run(desk.close())
    assert found(desk) == []
    assert len([kind for kind, _ in desk.kinds() if kind == "missingInLedger"]) == 3


def test_lines_of_one_party_and_day_that_add_up_are_proposed(desk: Desk) -> None:
    desk.ledger(50)
    desk.file(Told(20, account="LT1"), Told(30, account="LT1"))
    desk.run(desk.close())
    assert found(desk, "proposed") == [("sum", 50, 2, 1)]


def test_a_ledger_row_of_the_day_still_has_time_and_of_the_day_before_has_not(desk: Desk) -> None:
    desk.ledger(900, "LATE-1001")
    desk.file()
    first = desk.run(desk.close())
    assert desk.kinds() == []
    assert first.figures["timing"] == {"count": 1, "sumMinor": 900}
    desk.file()
    desk.run(desk.close())
    assert desk.kinds() == [("missingInStatement", -900)]
    # the break ends when the line comes after all
    desk.file(Told(900, ref="LATE-1001"))
    desk.run(desk.close())
    assert desk.kinds() == []
    [one] = desk.breaks()
    assert (one.state, one.resolution) == ("resolved", "matched")
    assert one.match_id == desk.matches()[0].id


def test_reference_and_amount_far_apart_are_a_wrong_date(desk: Desk) -> None:
    from datetime import timedelta

    desk.ledger(900, "FAR-AWAY-1")
    desk.file(Told(900, ref="FAR-AWAY-1", booked=desk.day - timedelta(days=40)))
    desk.run(desk.close())
    assert found(desk) == []
    assert desk.kinds() == [("wrongDate", 0)]


def test_a_fee_of_the_bank_is_called_one(desk: Desk) -> None:
    desk.file(Told(-4_50, text="prowizja za przelew"), Told(12, text="Credit interest"))
    desk.run(desk.close())
    assert sorted((one.kind, one.cause) for one in desk.breaks()) == [
        ("missingInLedger", "bankFee"),
        ("missingInLedger", "interest"),
    ]


def test_a_proposal_that_a_person_refused_is_not_made_again(desk: Desk, treasurer: object) -> None:
    from dashboard.database import transaction
    from dashboard.treasury.matching.services import matches

    desk.ledger(333_33)
    desk.file(Told(333_33))
    day = desk.close()
    desk.run(day)
    [proposed] = desk.matches("proposed")
    with transaction():
        matches.reject(proposed.id, by=treasurer)  # type: ignore[arg-type]
    desk.run(day)
    assert desk.matches("proposed") == []
    assert desk.kinds() == [("missingInLedger", 333_33)]


def test_every_row_of_a_match_is_kept_with_its_amount(desk: Desk) -> None:
    from dashboard.database import session

    desk.ledger(10, "REF-1001")
    [line] = desk.file(Told(10, ref="REF-1001"))
    desk.run(desk.close())
    [kept] = session().query(MatchLine).all()
    assert (kept.line_id, kept.amount_minor, kept.live) == (line, 10, True)


def _compared(ledger: list[tuple[Any, ...]], bank: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Pairs of the first pass, from rows of (reference of the payer, of the provider, payer's account)."""
    with transaction():
        board = Board()
        board.lay_out()
        run("DROP TABLE IF EXISTS pg_temp.refused")
        run("CREATE TEMP TABLE refused (transaction_id uuid, line_id uuid) ON COMMIT DROP")
        for side, rows in (("l", ledger), ("b", bank)):
            for n, (e2e, ref, account) in enumerate(rows, start=1):
                run(
                    f"INSERT INTO side_{side} (n, id, amount, booked, valued, e2e, ref, refs, party)"
                    " VALUES (:n, gen_random_uuid(), 50000, '2026-03-12', '2026-03-12', :e2e, :ref, '{}', :account)",
                    n=n, e2e=e2e, ref=ref, account=account,
                )  # fmt: skip
        board.filled((len(ledger), len(bank)))
        reference.find(board, days=10)
        return sorted(tuple(row) for row in session().execute(sa.text(f"SELECT ln, bn, certain FROM {EVERY_PAIR} p")))


def test_what_a_payer_wrote_is_no_proof_where_provider_or_account_say_otherwise(app: Flask) -> None:
    assert _compared([("RENT2026", "P-1", None)], [("RENT2026", "P-2", None)]) == [(1, 1, False)]
    assert _compared([("RENT2026", None, "LT001")], [("RENT2026", None, "LT999")]) == [(1, 1, False)]
    assert _compared([("RENT2026", "P-1", "LT001")], [("RENT2026", "P-1", "LT001")]) == [(1, 1, True)]


def test_the_provider_tells_two_payments_with_the_payers_same_words_apart(app: Flask) -> None:
    found = _compared(
        [("RENT2026", "P-1", None), ("RENT2026", "P-2", None)], [("RENT2026", "P-2", None), ("RENT2026", "P-9", None)]
    )
    assert (2, 1, True) in found
    assert all(not certain for _, bank, certain in found if bank == 2)


def test_a_reference_of_a_few_letters_only_proposes(app: Flask) -> None:
    assert _compared([("20/26", None, None)], [("2026", None, None)]) == [(1, 1, False)]
