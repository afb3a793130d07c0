"""What the database refuses even when a service, or somebody at a console, tries."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from dashboard.access.permissions import Role
from dashboard.database import constraint_of, session, transaction
from dashboard.errors import Forbidden
from dashboard.treasury.statements.services import deleting, importing
from tests.conftest import People
from tests.treasury.statements.conftest import Desk, bank_account, entries, lines, statements
from tests.treasury.statements.files import E, S, camt

ONE = S([E("50.00", ref="R1"), E("20.00", "-", ref="R2", details=["-15.00", "-5.00"])], "100.00", "130.00")


def refused(statement: str) -> str:
    with pytest.raises((sa.exc.IntegrityError, sa.exc.ProgrammingError)) as caught, session().begin_nested():
        session().execute(sa.text(statement))
    if getattr(caught.value.orig, "sqlstate", "") == "42501":
        return "no grant"
    return constraint_of(caught.value) or str(caught.value.orig)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE statement_line SET amount_minor = 1", "statement_line_stays"),
        ("UPDATE statement_line SET remittance = 'x'", "statement_line_stays"),
        ("UPDATE statement_line SET matchable = false", "statement_line_stays"),
        ("UPDATE statement_entry SET amount_minor = 1", "statement_entry_stays"),
        ("UPDATE statement_entry SET standing = false", "statement_entry_stays"),
        ("UPDATE statement_entry SET id = gen_random_uuid()", "fk_statement_line_entry_id"),
        ("UPDATE statement SET closing_minor = 1", "statement_stays_as_it_came"),
        ("UPDATE statement SET tie_out = 'passed', booked_minor = 5", "statement_stays_as_it_came"),
        ("UPDATE statement SET standing = false", "statement_stays_as_it_came"),
        ("DELETE FROM statement_line", "statement_line_is_removed"),
        ("DELETE FROM statement", "statement_stays_as_it_came"),
        ("UPDATE statement_import SET sha256 = 'x'", "statement_import_goes_forward"),
        ("UPDATE statement_import SET entries = 1", "statement_import_goes_forward"),
        ("UPDATE statement_import SET state = 'preview'", "statement_import_goes_forward"),
        ("DELETE FROM statement_import", "no grant"),
        ("TRUNCATE statement_line", "no grant"),
        (
            "INSERT INTO statement_line (id, entry_id, bank_account_id, position, currency, amount_minor, booking_date)"
            " SELECT gen_random_uuid(), id, bank_account_id, 9, currency, 1, booking_date FROM statement_entry",
            "statement_line_is_added",
        ),
        (
            "INSERT INTO statement_entry (id, statement_id, bank_account_id, number, currency, amount_minor, status,"
            " booking_date, key, fingerprint) SELECT gen_random_uuid(), id, bank_account_id, 99, currency, 1, 'booked',"
            " last_day, 'x', gen_random_uuid() FROM statement",
            "statement_entry_is_added",
        ),
    ],
)
def test_what_was_imported_stays_as_it_came(desk: Desk, statement: str, rule: str) -> None:
    bank_account()
    desk.take(camt(ONE))
    assert refused(statement) == rule


def test_nothing_of_a_preview_can_be_made_to_count(desk: Desk) -> None:
    bank_account()
    desk.read(camt(ONE))
    assert refused("UPDATE statement_entry SET standing = true") == "statement_entry_stays"
    assert refused("UPDATE statement_line SET matchable = true") == "statement_line_stays"
    assert refused("UPDATE statement SET standing = true") == "statement_stays_as_it_came"


def test_who_only_reads_brings_nothing_in_and_takes_nothing_back(desk: Desk, people: People) -> None:
    bank_account()
    reader = people.actor(Role.AUDITOR)
    path = desk.file(camt(ONE))
    with pytest.raises(Forbidden), transaction():
        importing.begin(path, name="x", source="page", by=reader)
    row = desk.take(camt(ONE))
    with pytest.raises(Forbidden), transaction():
        deleting.delete(row.id, because="no", by=reader)
    assert len(entries()) == 2 and len(lines()) == 3
    assert statements()[0].last_day == date(2026, 3, 12)
