"""The short way to the database: prepared once, exact in what it sends, and forgetful of what broke."""

from __future__ import annotations

import os
from uuid import UUID, uuid4

import psycopg
import pytest
from flask import Flask

from dashboard.database import hyphened, new_hex_ids, new_id, new_ids
from dashboard.direct import Lane


@pytest.fixture
def lane(committed: Flask) -> Lane:
    found: Lane = committed.extensions["countinghouse.lane"]
    found.close()
    return found


def test_values_of_every_kind_come_back_as_they_were_sent(lane: Lane) -> None:
    asked = uuid4()
    for text in ("", "Ünïcødé ' \\ \" $1 %s", None):
        row = lane.one(
            "SELECT $1::uuid, $2::text, $3::bytea, $4::bigint, $5::text[]", (asked, text, b"\0\xff'", -(2**63), None)
        )
        assert row == (asked, text, b"\0\xff'", -(2**63), None)
    assert lane.one("SELECT 1 WHERE $1::boolean", ("false",)) is None
    assert len(lane.idle) == 1


def test_a_text_that_the_database_cannot_hold_is_refused_and_not_cut_off(lane: Lane) -> None:
    with pytest.raises(psycopg.DataError):
        lane.one("SELECT $1::text", ("before\0after",))
    assert lane.one("SELECT $1::text", ("after",)) == ("after",)


def test_a_refusal_of_the_database_keeps_its_name_and_the_connection(lane: Lane) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        lane.one("SELECT 1 / $1::int", (0,))
    assert lane.one("SELECT 4 / $1::int", (2,)) == (2,)
    assert len(lane.idle) == 1


def test_a_statement_that_its_server_forgot_is_prepared_anew_on_another_connection(lane: Lane) -> None:
    assert lane.one("SELECT $1::int + 1", (1,)) == (2,)
    lane.idle[0].connection.execute("DEALLOCATE ALL")
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        lane.one("SELECT $1::int + 1", (1,))
    assert lane.one("SELECT $1::int + 1", (1,)) == (2,)


def test_a_connection_that_was_ended_is_told_as_such_and_forgotten(lane: Lane) -> None:
    [pid] = lane.one("SELECT pg_backend_pid() + $1::int", (0,)) or (0,)
    with psycopg.connect(lane.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (pid,))
    with pytest.raises(psycopg.OperationalError):
        lane.one("SELECT $1::int", (1,))
    assert not lane.idle
    assert lane.one("SELECT $1::int", (1,)) == (1,)


def test_identifiers_sort_by_the_order_in_which_they_were_made_and_never_repeat() -> None:
    made = [new_id() for _ in range(5_000)] + new_ids(9) + new_ids(9_000) + [UUID(one) for one in new_hex_ids(20)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {made[0].variant}
    assert hyphened(made[0].hex) == str(made[0])


def test_a_forked_process_draws_no_identifier_of_its_parent() -> None:
    new_id()
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, new_id().bytes)
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 16)[8:] != new_id().bytes[8:]
    os.close(reading)
    os.close(writing)
