"""What the database refuses, whoever asks."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from dashboard.database import constraint_of, session, transaction
from tests.treasury.matching.conftest import Desk, Told


def refused(statement: str, **values: Any) -> str | None:
    with pytest.raises((sa.exc.IntegrityError, sa.exc.ProgrammingError)) as error, transaction():
        session().execute(sa.text(statement), values)
    return constraint_of(error.value) if isinstance(error.value, sa.exc.IntegrityError) else "no right"


@pytest.fixture
def matched(desk: Desk) -> Desk:
    desk.ledger(10, "REF-9001")
    desk.ledger(20, "REF-9002")
    desk.file(Told(10, ref="REF-9001"), Told(30, text="who knows"))
    desk.run(desk.close())
    return desk


def copied(desk: Desk, **change: Any) -> dict[str, Any]:
    values = dict(
        session().execute(sa.text("SELECT * FROM recon_match WHERE bank_account_id = :b"), {"b": desk.bank_id})
        .mappings().first()  # type: ignore[arg-type]
    )  # fmt: skip
    return {**values, "id": uuid4(), **change}


def insert(values: dict[str, Any]) -> str:
    return f"INSERT INTO recon_match ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})"


def test_a_match_without_its_rows_does_not_stand(matched: Desk) -> None:
    values = copied(matched)
    assert refused(insert(values), **values) == "match_adds_up"


def test_both_sides_have_the_same_sum(matched: Desk) -> None:
    line = session().scalar(sa.text("SELECT item_id FROM open_item WHERE side = 'bank'"))
    row = session().scalar(sa.text("SELECT item_id FROM open_item WHERE side = 'ledger'"))
    values = copied(matched, amount_minor=30)
    statement = (
        f"WITH made AS ({insert(values)}), lines AS (INSERT INTO match_line"
        " (match_id, position, line_id, amount_minor, booking_date, live)"
        " SELECT :id, 1, id, amount_minor, booking_date, true FROM statement_line WHERE id = :line)"
        " INSERT INTO match_transaction (match_id, position, transaction_id, account_id, amount_minor, booking_date,"
        " live) SELECT :id, 1, id, :account, :claimed, booking_date, true FROM ledger_transaction WHERE id = :row"
    )
    common = {**values, "line": line, "row": row, "account": matched.settlement}
    assert refused(statement, **common, claimed=20) == "match_adds_up"
    # an amount that the ledger row does not have
    assert refused(statement, **common, claimed=30) in {"match_transaction_is_true", "match_adds_up"}


def test_nothing_is_added_to_a_match(matched: Desk) -> None:
    [match] = matched.matches()
    line = session().scalar(sa.text("SELECT item_id FROM open_item WHERE side = 'bank'"))
    statement = (
        "INSERT INTO match_line (match_id, position, line_id, amount_minor, booking_date, live)"
        " SELECT :match, :place, id, amount_minor, booking_date, true FROM statement_line WHERE id = :line"
    )
    assert refused(statement, match=match.id, place=1, line=line) == "pk_match_line"
    assert refused(statement, match=match.id, place=2, line=line) == "match_line_is_true"


def test_a_match_is_undone_once_and_never_deleted(matched: Desk) -> None:
    [match] = matched.matches()
    assert refused("DELETE FROM recon_match WHERE id = :id", id=match.id) == "no right"
    assert refused("UPDATE recon_match SET amount_minor = 1 WHERE id = :id", id=match.id) == "no right"
    assert refused("UPDATE match_line SET live = false WHERE match_id = :id", id=match.id) == "no right"
    undo = "UPDATE recon_match SET state = 'undone', undone_at = now(), undone_because = 'x' WHERE id = :id"
    with transaction():
        session().execute(sa.text(undo), {"id": match.id})
    assert refused(undo, id=match.id) == "match_moves_on"


def test_an_undone_match_says_why(matched: Desk) -> None:
    [match] = matched.matches()
    assert (
        refused("UPDATE recon_match SET state = 'undone', undone_at = now() WHERE id = :id", id=match.id)
        == "ck_recon_match_undone_says_why"
    )


def test_a_matched_line_stays(matched: Desk) -> None:
    line = session().scalar(sa.text("SELECT line_id FROM match_line"))
    assert refused("UPDATE statement_line SET matchable = false WHERE id = :id", id=line) is not None
    assert refused("DELETE FROM statement_line WHERE id = :id", id=line) is not None


def test_a_break_moves_on_in_order_and_is_never_deleted(matched: Desk) -> None:
    one = matched.breaks("open")[0]
    assert refused("DELETE FROM recon_break WHERE id = :id", id=one.id) == "no right"
    assert refused("UPDATE recon_break SET state = 'acknowledged' WHERE id = :id", id=one.id) == "break_change_counts"
    resolve = (
        "UPDATE recon_break SET state = 'resolved', resolution = :how, resolved_at = now(), version = version + 1"
        " WHERE id = :id"
    )
    assert refused(resolve, id=one.id, how="matched") == "ck_recon_break_matched_has_match"
    assert refused(resolve, id=one.id, how="accepted") is not None
    reopened = "UPDATE recon_break SET reopened = 1, version = version + 1 WHERE id = :id"
    assert refused(reopened, id=one.id) == "break_moves_on"


def test_accepting_above_the_limit_takes_an_approval(matched: Desk) -> None:
    one = matched.breaks("open")[0]
    event = uuid4()
    with transaction():
        session().execute(
            sa.text(
                "INSERT INTO break_event (id, break_id, kind, at, by_kind, by_name)"
                " VALUES (:id, :b, 'accepted', now(), 'staff', 'x')"
            ),
            {"id": event, "b": one.id},
        )
    accept = (
        "UPDATE recon_break SET state = 'resolved', resolution = 'accepted', resolved_at = now(), evidence_id = :event,"
        " limit_minor = :limit, approval_id = :approval, version = version + 1 WHERE id = :id"
    )
    assert (
        refused(accept, id=one.id, event=event, limit=0, approval=None) == "ck_recon_break_accepted_above_limit_by_two"
    )
    assert refused(accept, id=one.id, event=event, limit=None, approval=uuid4()) == "break_accepted_by_two"
    assert refused(accept, id=one.id, event=uuid4(), limit=0, approval=None) == "break_accepted_with_evidence"


def test_history_and_rules_are_evidence(matched: Desk) -> None:
    assert refused("UPDATE break_event SET kind = 'note'") == "no right"
    assert refused("DELETE FROM break_event") == "no right"
    assert refused("UPDATE match_rule_set SET version = 9") == "no right"
    rules = "INSERT INTO match_rule_set (id, version, rules, created_at, created_by, approval_id)" \
            " VALUES (gen_random_uuid(), 2, '{}', now(), 'x', :approval)"  # fmt: skip
    assert refused(rules, approval=None) == "match_rules_by_two"
    assert refused(rules, approval=uuid4()) == "match_rules_by_two"


def test_the_limit_of_one_person_is_what_the_rules_say(matched: Desk) -> None:
    one = matched.breaks("open")[0]
    event = uuid4()
    with transaction():
        session().execute(
            sa.text(
                "INSERT INTO break_event (id, break_id, kind, at, by_kind, by_name)"
                " VALUES (:id, :b, 'accepted', now(), 'staff', 'x')"
            ),
            {"id": event, "b": one.id},
        )
    accept = (
        "UPDATE recon_break SET state = 'resolved', resolution = 'accepted', resolved_at = now(), evidence_id = :event,"
        " limit_minor = 99999999, version = version + 1 WHERE id = :id"
    )
    assert refused(accept, id=one.id, event=event) == "break_limit_of_the_rules"


def test_a_break_is_matched_by_a_match_that_has_its_rows(matched: Desk) -> None:
    one = matched.breaks("open")[0]
    [match] = matched.matches()
    resolve = (
        "UPDATE recon_break SET state = 'resolved', resolution = 'matched', resolved_at = now(), match_id = :match,"
        " version = version + 1 WHERE id = :id"
    )
    assert refused(resolve, id=one.id, match=match.id) == "break_matched_by_its_match"


def test_what_is_open_is_true_of_its_source(matched: Desk) -> None:
    invent = (
        "INSERT INTO open_item (bank_account_id, side, item_id, amount_minor, booking_date)"
        " VALUES (:bank, :side, gen_random_uuid(), 12345, current_date)"
    )
    for side in ("bank", "ledger"):
        assert refused(invent, bank=matched.bank_id, side=side) == "open_item_is_true"
    assert refused("DELETE FROM open_item") == "no right"


def test_the_ledger_was_looked_at_up_to_a_day_that_has_ended_and_whole(matched: Desk) -> None:
    move = "UPDATE match_place SET swept_on = :day WHERE bank_account_id = :bank"
    assert refused(move, bank=matched.bank_id, day="2099-01-01") == "match_place_is_true"
    assert refused(move, bank=matched.bank_id, day="2001-01-01") == "match_place_is_true"
    matched.ledger(70)
    ended = matched.close()
    assert refused(move, bank=matched.bank_id, day=ended) == "match_place_is_true"


def test_a_break_is_of_rows_that_are_open(matched: Desk) -> None:
    invent = (
        "INSERT INTO recon_break (id, bank_account_id, currency, kind, cause, line_id, bank_minor, bank_on, since,"
        " state, found_at) VALUES (gen_random_uuid(), :bank, 'eur', 'missingInLedger', 'unknown', gen_random_uuid(),"
        " 1, current_date, current_date, 'open', now())"
    )
    assert refused(invent, bank=matched.bank_id) == "break_is_of_open_rows"
