"""Files that lie in the folder: imported, moved, and finished after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor, system
from dashboard.background import runner
from dashboard.background.models import BackgroundJob
from dashboard.database import new_id, session, transaction
from dashboard.settings import ROOT
from dashboard.treasury.statements import inbox, jobs
from dashboard.treasury.statements.models import Statement, StatementEntry, StatementImport, StatementLine
from dashboard.treasury.statements.services import importing, mappings
from dashboard.treasury.statements.store import Store
from tests.ledger.test_checks_killed import environment
from tests.treasury.statements.conftest import bank_account, lines
from tests.treasury.statements.files import E, S, camt
from tests.treasury.statements.test_csv import HEAD, ROWS, SIGNED

GOOD = camt(S([E("5.00", ref="A")], "0.00", "5.00"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Store(tmp_path).prepare()
    return tmp_path / "statements"


def look(folder: Path) -> dict[str, int]:
    return inbox.look(folder.parent, by=system("statements"), settled_seconds=0)


def names(folder: Path, part: str) -> list[str]:
    return sorted(path.name.partition("-")[2] for path in (folder / part).iterdir())


def imports() -> list[StatementImport]:
    query = sa.select(StatementImport).order_by(StatementImport.id)
    return list(session().scalars(query.execution_options(populate_existing=True)))


def test_what_lies_in_the_folder_is_imported_and_moved(committed: Flask, folder: Path) -> None:
    bank_account()
    (folder / "good.xml").write_bytes(GOOD)
    (folder / "bad.xml").write_bytes(GOOD[:-100])
    (folder / "empty.sta").write_bytes(b"")
    (folder / "later.xml.part").write_bytes(GOOD)
    assert look(folder) == {"imported": 1, "failed": 2}
    assert names(folder, "done") == ["good.xml"]
    assert names(folder, "failed") == ["bad.xml", "bad.xml.reason.txt", "empty.sta", "empty.sta.reason.txt"]
    reasons = [path.read_text() for path in (folder / "failed").glob("*.reason.txt")]
    assert any("empty" in each for each in reasons) and any("well-formed" in each for each in reasons)
    assert (folder / "later.xml.part").exists()
    assert not list((folder / "held").iterdir())
    assert sorted(row.state for row in imports()) == ["failed", "failed", "imported"]
    assert len(lines()) == 1


def test_a_file_that_cannot_be_taken_never_keeps_the_others_waiting(committed: Flask, folder: Path) -> None:
    """A name as long as the file system allows, and sums that no column holds."""
    bank_account()
    long_one = folder / ("ą" * 120 + "a" * 6 + ".xml")
    long_one.write_text("<html>no statement</html>")
    many = [E("90000000000000.00", ref=f"B{number}") for number in range(1_100)]
    (folder / "huge.xml").write_bytes(camt(S(many, "0.00", "0.00", id="HUGE")))
    (folder / "good.xml").write_bytes(GOOD)
    for age, path in enumerate((long_one, folder / "huge.xml", folder / "good.xml")):
        os.utime(path, (age + 1, age + 1))
    assert look(folder) == {"imported": 1, "failed": 2}
    assert look(folder) == {"imported": 0, "failed": 0}
    assert sorted(row.state for row in imports()) == ["failed", "failed", "imported"]
    assert {row.reason for row in imports() if row.file_name == "huge.xml"} == {
        "The entries of statement 1 add up to more than any account holds."
    }
    assert len(list((folder / "failed").iterdir())) == 4
    assert not list((folder / "held").iterdir())
    assert len(lines()) == 1


def test_a_file_that_nobody_may_open_is_noted_nowhere_and_tried_again(
    committed: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank_account()
    for age, name in enumerate(("closed.xml", "good.xml")):
        (folder / name).write_bytes(GOOD)
        os.utime(folder / name, (age + 1, age + 1))
    digest = importing.digest_of

    def closed(path: Path) -> str:
        if path.name == "closed.xml":
            raise PermissionError(13, "Permission denied")
        return digest(path)

    monkeypatch.setattr(importing, "digest_of", closed)
    assert look(folder) == {"imported": 1, "failed": 1}
    assert (folder / "closed.xml").exists()
    assert [row.state for row in imports()] == ["imported"]


def test_a_file_that_is_still_written_waits(committed: Flask, folder: Path) -> None:
    bank_account()
    (folder / "good.xml").write_bytes(GOOD)
    assert inbox.look(folder.parent, by=system(), settled_seconds=60) == {"imported": 0, "failed": 0}
    assert (folder / "good.xml").exists()


def test_the_same_file_again_is_laid_aside_with_the_reason(committed: Flask, folder: Path) -> None:
    bank_account()
    for name in ("one.xml", "two.xml"):
        (folder / name).write_bytes(GOOD)
        look(folder)
    assert names(folder, "failed") == ["two.xml", "two.xml.reason.txt"]
    assert len(imports()) == 1 and len(lines()) == 1


def test_a_csv_file_says_by_its_name_which_account_it_is_of(committed: Flask, folder: Path) -> None:
    account = bank_account("PL61109010140000071219812874", "pln", form="csv", calendar="PL")
    with transaction():
        mappings.save(account, SIGNED, by=system())
    (folder / "PL61 1090 1014 0000 0712 1981 2874_march.csv").write_text(HEAD + ROWS)
    (folder / "march.csv").write_text(HEAD + ROWS + "14.03.2026;1,00;;;;Q\n")
    assert look(folder) == {"imported": 1, "failed": 1}
    assert len(lines()) == 3


def test_what_an_earlier_look_left_is_finished(committed: Flask, folder: Path) -> None:
    """Killed between two steps: begun, taken, read, committed."""
    bank_account()
    store = Store(folder.parent)
    by = system("statements")
    # begun, and the file lies where it was
    path = folder / "a.xml"
    path.write_bytes(GOOD)
    with transaction():
        importing.begin(path, name="a.xml", source="inbox", by=by)
    assert look(folder)["imported"] == 1
    # committed, and the file lies where it was read
    other = camt(S([E("6.00", ref="B", day="2026-03-13")], "5.00", "11.00", day="2026-03-13", id="STM-2"))
    path = folder / "b.xml"
    path.write_bytes(other)
    with transaction():
        row = importing.begin(path, name="b.xml", source="inbox", by=by)
    store.take(row.id, path)
    jobs.read(row.id, store)
    with transaction():
        importing.commit(row.id, by=by)
    assert look(folder) == {"imported": 0, "failed": 0}
    assert names(folder, "done") == ["a.xml", "b.xml"]
    assert [each.state for each in imports()] == ["imported", "imported"]
    assert len(lines()) == 2


SLOW = """
import threading, time
from wsgi import app
from dashboard.background import runner
from dashboard.treasury.statements.services import staging
staging.CHUNK = 20
write = staging.Staging._write
def slowly(self, row):
    write(self, row)
    time.sleep(0.15)
staging.Staging._write = slowly
runner.run_one(app, threading.Event())
"""


def counted() -> tuple[int, int, int]:
    found = tuple(
        session().scalar(sa.select(sa.func.count()).select_from(table)) or 0
        for table in (Statement, StatementEntry, StatementLine)
    )
    session().commit()
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("commit", [True, False])
def test_an_import_that_was_killed_half_way_goes_on_behind_its_last_chunk(committed: Flask, commit: bool) -> None:
    bank_account()
    store = Store(committed.extensions["countinghouse.settings"].instance_path)
    store.prepare()
    many = [E("1.00", ref=f"R{number}") for number in range(400)]
    import_id = new_id()
    store.held(import_id).write_bytes(camt(S(many, "0.00", "400.00")))
    by: Actor = system("test")
    with transaction():
        row = importing.begin(store.held(import_id), name="big.xml", source="page", by=by, import_id=import_id)
        job_id = jobs.ask(row, commit=commit, by=by).id
    process = subprocess.Popen([sys.executable, "-c", SLOW], cwd=ROOT, env=environment(committed))
    try:
        until = time.monotonic() + 90
        while (now := counted())[1] < 60 and time.monotonic() < until and process.poll() is None:
            time.sleep(0.02)
        assert 60 <= now[1] < 400, "it was killed in the middle"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    half = counted()[1]
    assert half % 20 in {18, 19, 0, 1}, "whole chunks only"
    assert not lines()
    with transaction():
        session().execute(
            sa.update(BackgroundJob).values(lease_until=sa.text("clock_timestamp() - interval '1 second'"))
        )
    assert runner.run_one(committed, threading.Event())
    with transaction():
        job = session().get_one(BackgroundJob, job_id, populate_existing=True)
        row = session().get_one(StatementImport, import_id, populate_existing=True)
        assert (job.state, job.attempts) == ("succeeded", 2)
        assert (row.state, row.entries) == ("imported" if commit else "preview", 400)
        [statement] = session().scalars(sa.select(Statement)).all()
        assert (statement.entries, statement.booked_minor, statement.tie_out) == (400, 40_000, "passed")
        assert len(lines()) == (400 if commit else 0)
    assert counted() == (1, 400, 400)


def test_a_reading_that_is_canceled_leaves_nothing(committed: Flask) -> None:
    bank_account()
    store = Store(committed.extensions["countinghouse.settings"].instance_path)
    store.prepare()
    import_id = new_id()
    store.held(import_id).write_bytes(GOOD)
    with transaction():
        row = importing.begin(store.held(import_id), name="x.xml", source="page", by=system(), import_id=import_id)
        job = jobs.ask(row, commit=False, by=system())
        from dashboard.background import services as work

        work.cancel(job.id, kind=job.kind, by=system())
    [row] = imports()
    assert (row.state, row.reason) == ("failed", "Reading it was canceled.")
    assert counted() == (0, 0, 0)
