"""The chain: order of sealing, late commits, sealers at once and killed, and what a superuser does to it."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access import tokens
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import DEFAULT_SCOPES, Audience
from dashboard.audit import exporting, heads, sealing, searching, verify_audit, verifying
from dashboard.audit import services as audit
from dashboard.audit.models import AuditEvent, AuditSeal, audit_unsealed
from dashboard.audit.searching import EventFilter, Reader
from dashboard.clients import services
from dashboard.clients.profile import IndividualProfile
from dashboard.database import constraint_of, db, new_id, session, transaction
from dashboard.home import audit_work
from dashboard.jobs.schedule import JOBS
from dashboard.treasury.checks import audit_seals
from dashboard.treasury.checks.check import Look, Outcome
from tests.jobs.test_killed import kill_in_the_middle

EVERYTHING = Reader(of_clients=True, restricted=True)
BY = system("test")
CLIENT = new_id()


def told(count: int = 1, **said: Any) -> list[UUID]:
    with transaction():
        return [
            audit.record(
                "test.happened", by=BY, object_type="thing", object_id=new_id(), after={"number": number}, **said
            )
            for number in range(count)
        ]


def positions() -> list[tuple[int, UUID]]:
    with transaction():
        rows = session().execute(sa.select(AuditSeal.position, AuditSeal.event_id).order_by(AuditSeal.position))
        return [(row.position, row.event_id) for row in rows]


def export_to(folder: Path, chosen: EventFilter = EventFilter(), reader: Reader = EVERYTHING) -> Path:
    path = folder / "audit.json"
    with transaction():
        path.write_bytes(b"".join(exporting.chunks({"title": "Audit"}, chosen, reader=reader)))
    return path


@pytest.fixture
def chain(committed_in_file: Flask, tmp_path: Path) -> list[UUID]:
    """Sealed events, among them one of a client's own app and one without a payload; positions in their order."""
    app_of_client = Actor(kind="token", id=new_id(), name="Phone of A. B.", role=Audience.FRONTOFFICE.value,
                          address="192.0.2.7")  # fmt: skip
    made = told(6)
    with transaction():
        made.append(audit.record("test.asked", by=app_of_client, object_type="thing", object_id=None, client_id=CLIENT))
    made += told(3, reason="=1+1", restricted={"code": "secret"}, client_id=CLIENT)
    sealing.seal_all()
    return made


def place_of(event: UUID) -> int:
    with transaction():
        found = session().scalar(sa.select(AuditSeal.position).where(AuditSeal.event_id == event))
    assert found is not None
    return found


@contextmanager
def as_it_was(superuser: psycopg.Connection[Any]) -> Iterator[None]:
    """Evidence as it was before, once the test has seen what a change does."""
    tables = ("audit_event", "audit_payload", "audit_seal", "audit_actor_salt", "audit_unsealed")
    for table in tables:
        superuser.execute(f"CREATE TEMP TABLE kept_{table} AS TABLE {table}")
    try:
        yield
    finally:
        superuser.execute(f"TRUNCATE {', '.join(tables)}")
        for table in tables:
            superuser.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")
            superuser.execute(f"DROP TABLE kept_{table}")


def test_what_commits_late_is_sealed_late_whatever_its_identifier(committed_in_file: Flask) -> None:
    sealing.seal_all()
    began = len(positions())
    early = new_id()
    with db.engine.connect() as slow:
        slow.execute(
            sa.insert(AuditEvent).values(
                id=early, occurred_at=sa.func.now(), actor_kind="system", actor_name="slow", actor_role="system",
                action="test.late", object_type="thing",
            )
        )  # fmt: skip
        quick = told(3)
        assert quick[0] > early
        assert sealing.seal_all() == 3, "nobody waits for the one that has not committed"
        slow.commit()
    assert sealing.seal_all() == 1
    assert sealing.seal_all() == 0
    found = positions()
    assert [position for position, _ in found] == list(range(1, len(found) + 1))
    assert [event for _, event in found[began:]] == [*quick, early]
    with transaction():
        audit.record("test.undone", by=BY, object_type="thing", object_id=None)
        session().rollback()
    assert sealing.seal_all() == 0, "what was rolled back leaves no gap"
    assert verifying.verify().broken is None


def test_sealers_at_once_seal_each_event_once(committed_in_file: Flask) -> None:
    sealing.seal_all()
    before = len(positions())
    stop, failed = threading.Event(), []

    def sealer() -> None:
        with committed_in_file.app_context():
            try:
                while not stop.is_set():
                    with transaction():
                        sealing.seal(most=7)
            except Exception as error:  # told below
                failed.append(error)
            db.session.remove()

    threads = [threading.Thread(target=sealer) for _ in range(3)]
    for thread in threads:
        thread.start()
    made = [event for _ in range(40) for event in told(3)]
    stop.set()
    for thread in threads:
        thread.join()
    sealing.seal_all()
    assert not failed
    found = positions()
    assert sorted(event for _, event in found[before:]) == sorted(made)
    assert [position for position, _ in found] == list(range(1, len(found) + 1))
    assert verifying.verify().broken is None


def test_a_sealer_that_is_killed_in_the_middle_leaves_whole_batches(committed_in_file: Flask) -> None:
    sealing.seal_all()
    before = positions()
    made = told(30)
    kill_in_the_middle(committed_in_file, """
import time
from wsgi import app
from dashboard.audit import sealing
from dashboard.database import transaction
with app.app_context():
    with transaction():
        assert sealing.seal(most=10) == 10
    with transaction():
        assert sealing.seal(most=10) == 10
        print("in the middle", flush=True)
        time.sleep(120)
""")  # fmt: skip
    assert len(positions()) == len(before) + 10
    assert verifying.verify().broken is None
    assert sealing.seal_all() == 20
    assert [event for _, event in positions()[len(before) :]] == made
    assert verifying.verify().waiting == 0


def test_the_application_cannot_write_seals_nor_take_events_out_of_the_queue(
    committed_in_file: Flask, chain: list[UUID]
) -> None:
    told()
    seal = "INSERT INTO audit_seal SELECT position + 1, gen_random_uuid(), digest, hash, NULL, now() FROM audit_seal"
    for statement in (
        seal, "UPDATE audit_seal SET hash = hash", "DELETE FROM audit_seal", "TRUNCATE audit_seal",
        "DELETE FROM audit_unsealed", "TRUNCATE audit_unsealed", "INSERT INTO audit_unsealed VALUES (uuidv7())",
        "UPDATE audit_actor_salt SET salt = ''", "ALTER TABLE audit_event DISABLE TRIGGER ALL",
    ):  # fmt: skip
        with pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner"), transaction():
            session().execute(sa.text(statement))
    url = committed_in_file.extensions["countinghouse.settings"].migration_database_url
    engine = sa.create_engine(url)
    for statement, rule in (
        ("UPDATE audit_seal SET hash = hash", "audit_seal_is_append_only"),
        ("DELETE FROM audit_seal", "audit_seal_is_append_only"),
        ("TRUNCATE audit_seal", "audit_seal_is_append_only"),
        (f"{seal} WHERE position = (SELECT max(position) FROM audit_seal)".replace("position + 1", "position + 2"),
         "audit_seal_without_gaps"),
        ("UPDATE audit_actor_salt SET salt = ''", "audit_actor_salt_is_append_only"),
    ):  # fmt: skip
        with pytest.raises(sa.exc.IntegrityError) as caught, engine.begin() as owner:
            owner.execute(sa.text(statement))
        assert constraint_of(caught.value) == rule
    engine.dispose()


#: what somebody with every right does to the record at the third place of the chain, and what is said of it
HARM: dict[str, tuple[str, str]] = {
    "who": ("UPDATE audit_event SET actor_name = 'Somebody Else' WHERE id = %(id)s", "the record was changed"),
    "when": ("UPDATE audit_event SET occurred_at = occurred_at + interval '1 ms' WHERE id = %(id)s",
             "the record was changed"),
    "digest": ("UPDATE audit_event SET payload_digest = repeat('a', 64) WHERE id = %(id)s", "the record was changed"),
    "payload": ("""UPDATE audit_payload SET after = '{"number": 99.5}' WHERE event_id = %(id)s""",
                "the payload was changed"),
    "payload gone": ("DELETE FROM audit_payload WHERE event_id = %(id)s", "the payload is missing"),
    "payload emptied": ("UPDATE audit_payload SET salt = '', after = NULL WHERE event_id = %(id)s",
                        "though its retention is not over"),
    "removed": ("DELETE FROM audit_event WHERE id = %(id)s", "unknown event"),
    "seal removed": ("DELETE FROM audit_seal WHERE event_id = %(id)s", "the seal of this position is missing"),
    "seal altered": ("UPDATE audit_seal SET hash = repeat('b', 64) WHERE event_id = %(id)s",
                     "the hash does not follow"),
    "swapped": ("UPDATE audit_seal s SET event_id = (SELECT event_id FROM audit_seal o WHERE o.position = s.position"
                " - 1) WHERE event_id = %(id)s", "the record was changed"),
}  # fmt: skip


def test_whatever_a_superuser_does_is_found_at_its_record(
    committed_in_file: Flask, chain: list[UUID], superuser: psycopg.Connection[Any], tmp_path: Path
) -> None:
    target = chain[2]
    place = place_of(target)
    assert verifying.verify().broken is None
    superuser.execute("ALTER TABLE audit_seal DROP CONSTRAINT uq_audit_seal_event_id")
    for name, (statement, said) in HARM.items():
        with as_it_was(superuser):
            superuser.execute(statement, {"id": target})
            broken = verifying.verify().broken
            assert broken is not None and broken["position"] == place, name
            assert said in broken["sentence"], name
            if name == "payload emptied":
                # the export cannot know what was purged; it says that the payload is gone
                continue
            result = verify_audit.verify(export_to(tmp_path))
            assert result.first is not None and result.first.position == place, name
    # the name and the address of an app of a client lie apart, and are watched all the same
    for change in ("actor_name = 'Another Phone'", "address = NULL"):
        with as_it_was(superuser):
            superuser.execute(f"UPDATE audit_event SET {change} WHERE id = %s", [chain[6]])
            broken = verifying.verify().broken
            assert broken is not None and broken["position"] == place_of(chain[6])
            first = verify_audit.verify(export_to(tmp_path)).first
            assert first is not None and first.position == place_of(chain[6])
    # what came without passing the trigger, and what waited and went
    with as_it_was(superuser):
        added = new_id()
        superuser.execute(
            "INSERT INTO audit_event (id, occurred_at, actor_kind, actor_name, actor_role, action, object_type)"
            " VALUES (%s, now(), 'system', 'x', 'x', 'test.slipped', 'thing')", [added],
        )  # fmt: skip
        broken = verifying.verify().broken
        assert broken is not None and broken["event"] == str(added) and "without a seal" in broken["sentence"]
    with as_it_was(superuser):
        (waits,) = told()
        superuser.execute("DELETE FROM audit_event WHERE id = %s", [waits])
        sealing.seal_all()
        broken = verifying.verify().broken
        assert broken is not None and broken["event"] == str(waits) and "waited for its seal" in broken["sentence"]
    superuser.execute("ALTER TABLE audit_seal ADD CONSTRAINT uq_audit_seal_event_id UNIQUE (event_id)")
    assert verifying.verify().broken is None


def test_a_tail_that_was_cut_off_is_seen_against_the_head_outside_the_database(
    committed_in_file: Flask, chain: list[UUID], superuser: psycopg.Connection[Any], tmp_path: Path
) -> None:
    settings = committed_in_file.extensions["countinghouse.settings"]
    keep = next(job for job in JOBS if job.name == "keep-audit-head")
    figures = keep.run(settings)
    told(2)
    sealing.seal_all()
    keep.run(settings)
    kept = heads.kept(settings.instance_path)
    lines = [json.loads(line) for line in (settings.instance_path / heads.FILE).read_text().splitlines()]
    assert kept[-1].position == lines[-1]["count"] == figures["position"] + 3, "the event of the head before"
    assert audit_work.verify(by=BY).broken is None
    last = kept[-1].position
    file = settings.instance_path / heads.FILE
    with as_it_was(superuser):
        # the records and their seals, so that what is left fits together
        superuser.execute(
            "DELETE FROM audit_payload WHERE event_id IN (SELECT event_id FROM audit_seal WHERE position >= %s)", [last]
        )
        superuser.execute(
            "DELETE FROM audit_event WHERE id IN (SELECT event_id FROM audit_seal WHERE position >= %s)", [last]
        )
        superuser.execute("DELETE FROM audit_seal WHERE position >= %s", [last])
        assert verifying.verify().broken is None, "the database alone does not show it"
        broken = verifying.verify(kept).broken
        assert broken is not None and broken["position"] == last and "missing" in broken["sentence"]
        path = export_to(tmp_path)
        assert verify_audit.main([str(path)]) == 0
        assert verify_audit.main([str(path), "--heads", str(file)]) == 1
    with as_it_was(superuser):
        # everything, and then a new chain of one's own
        superuser.execute("TRUNCATE audit_seal, audit_event, audit_payload, audit_actor_salt, audit_unsealed")
        broken = verifying.verify(kept).broken
        assert broken is not None and broken["position"] == 1
        told(last + 5)
        sealing.seal_all()
        assert verifying.verify().broken is None
        broken = verifying.verify(kept).broken
        assert broken is not None and broken["position"] == kept[0].position and "another hash" in broken["sentence"]
        first = verify_audit.verify(export_to(tmp_path), kept).first
        assert first is not None and first.position == kept[0].position
    told()
    outcome = audit_work.verify(by=BY)
    assert outcome.broken is None and outcome.heads == len(kept) and outcome.waiting == 0
    # the audit remembers what was written into the file: a line, all of them, the file itself
    text = file.read_text()
    newest = kept[-1].at
    for left, said in (
        (text.splitlines(keepends=True)[1:], f"the head of position {kept[0].position}, written on {kept[0].at}"),
        ([], "the file is gone or empty"),
        (None, "the file is gone or empty"),
    ):
        file.unlink() if left is None else file.write_text("".join(left))
        broken = audit_work.verify(by=BY).broken
        assert broken is not None and said in broken["sentence"]
        assert f"heads were written until {newest}" in broken["sentence"]
        event = session().get_one(AuditEvent, UUID(broken["event"]))
        assert event.action == heads.KEPT and event.actor_name == "keep-audit-head"
        session().commit()
    # another machine's heads are not looked for in this file, but a file that holds none at all compares nothing
    told_of = heads.told()
    session().commit()
    assert heads.missing([kept[-1]], told_of, where="elsewhere:/heads.jsonl") is None
    elsewhere = heads.missing([], told_of, where="elsewhere:/heads.jsonl")
    assert elsewhere is not None and "here is no file of heads" in elsewhere.what
    file.write_text(text)
    assert audit_work.verify(by=BY).broken is None


def test_a_sealer_that_is_held_up_says_by_whom_and_what_waits_too_long_is_told(
    committed_in_file: Flask, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealing.seal_all()
    job = next(job for job in JOBS if job.name == "seal-audit")
    settings = committed_in_file.extensions["countinghouse.settings"]
    assert not sealing.queue().events and not sealing.queue().oldest
    with db.engine.connect() as other:
        process = other.scalar(sa.text("SELECT pg_backend_pid()"))
        other.execute(sa.text("SELECT pg_advisory_lock(hashtextextended('audit_seal', 0))"))
        other.commit()
        told(2)
        with transaction():
            assert sealing.seal() == -1
        assert job.run(settings) == {"sealed": 0, "held_by_process": process}
        said = json.loads(logged.getvalue().splitlines()[-1])
        assert said["event"] == "audit not sealed" and f"process {process} of the database server" in said["why"]
        done = committed_in_file.test_cli_runner().invoke(args=["audit", "seal"])
        assert done.exit_code == 1 and f"process {process} " in done.output
        waits = sealing.queue()
        assert waits.events == 2 and not waits.too_long
        monkeypatch.setitem(sealing._limits, "minutes", 0)
        look = Look(date(2026, 3, 13), clock.now(), new_id(), BY, lambda: None)
        answer = audit_seals.run(look)
        assert answer.outcome == Outcome.FAILED and answer.findings[0].found == 2
        assert answer.findings[0].says.startswith("2 events wait for their seal, the oldest for 0 min. The process")
        other.execute(sa.text("SELECT pg_advisory_unlock_all()"))
        other.commit()
    assert job.run(settings) == {"sealed": 2}
    assert audit_seals.run(look).outcome == Outcome.PASSED


def test_the_sealer_takes_a_bounded_batch_and_evidence_has_no_time_without_end(
    committed_in_file: Flask, chain: list[UUID]
) -> None:
    told()
    for most in (None, 0, -1, 10_001):
        with pytest.raises(sa.exc.IntegrityError) as caught, transaction():
            session().execute(sa.select(sa.func.seal_audit(sa.cast(most, sa.Integer))))
        assert constraint_of(caught.value) == "audit_seal_batch_is_bounded", most
    assert sealing.seal_all() == 1
    for never in ("infinity", "-infinity", "1999-12-31 23:59:59+00", "12026-01-01 00:00:00+00"):
        with pytest.raises(sa.exc.IntegrityError) as caught, transaction():
            session().execute(
                sa.text(
                    "INSERT INTO audit_event (id, occurred_at, actor_kind, actor_name, actor_role, action, object_type)"
                    " VALUES (gen_random_uuid(), CAST(:at AS timestamptz), 'system', 'x', 'x', 'test.never', 'thing')"
                ),
                {"at": never},
            )
        assert constraint_of(caught.value) == "ck_audit_event_occurred_at_is_a_date", never
    engine = sa.create_engine(committed_in_file.extensions["countinghouse.settings"].migration_database_url)
    with pytest.raises(sa.exc.IntegrityError) as caught, engine.begin() as owner:
        owner.execute(
            sa.text(
                "INSERT INTO audit_seal SELECT position + 1, gen_random_uuid(), digest, hash, NULL, 'infinity'"
                " FROM audit_seal ORDER BY position DESC LIMIT 1"
            )
        )
    assert constraint_of(caught.value) == "ck_audit_seal_sealed_at_is_a_date"
    engine.dispose()


def test_an_export_holds_what_is_sealed_and_says_what_waits_and_gives_it_apart(
    committed_in_file: Flask, chain: list[UUID], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = told(2)
    path = export_to(tmp_path)
    document = json.loads(path.read_text())
    ids = {event["id"] for event in document["events"]}
    assert str(chain[-1]) in ids and not ids & {str(one) for one in fresh}
    assert document["about"]["waiting"] == 2 and document["end"]["waiting"] == 0 and "waiting" not in document
    end = document["end"]["head"]["position"]
    assert (
        document["about"]["sealed_up_to"]["position"] == end == max(e["seal"]["position"] for e in document["events"])
    )
    assert document["about"]["sealed_up_to"]["at"] == document["events"][-1]["seal"]["sealed_at"]
    assert verify_audit.main([str(path)]) == 0
    out = capsys.readouterr().out
    assert "2 newer records waited for their seal" in out and "VERIFIED." in out and ", 0 without a seal" in out
    # with what waits: no tampering is told, and nothing of it is called verified
    with transaction():
        chunks = exporting.chunks({"title": "Audit"}, EventFilter(), reader=EVERYTHING, waiting=True)
        path.write_bytes(b"".join(chunks))
    original = path.read_text()
    document = json.loads(original)
    assert {event["id"] for event in document["waiting"]} == {str(one) for one in fresh}
    assert all(event["seal"] is None for event in document["waiting"])
    assert verify_audit.main([str(path)]) == 3
    out = capsys.readouterr().out
    assert "SEALED RECORDS VERIFIED" in out and "NOT VERIFIED: 2 records without a seal" in out and "BROKEN" not in out
    # one of them removed, one moved among the sealed, a sealed one moved among them
    for change in (
        lambda d: d["waiting"].pop(0),
        lambda d: d["events"].append(d["waiting"].pop()),
        lambda d: d["waiting"].append(d["events"].pop()),
    ):
        _tampering(lambda d, _at, change=change: change(d))(path, 0)
        assert verify_audit.main([str(path)]) == 1
        path.write_text(original)
    # what is sealed while the file is written lies beyond the head that it was begun with
    with transaction():
        reach = searching.reach(EventFilter(), reader=EVERYTHING)
    sealing.seal_all()
    with transaction():
        path.write_bytes(b"".join(exporting.chunks({}, EventFilter(), reader=EVERYTHING, reach=reach, waiting=True)))
    document = json.loads(path.read_text())
    assert {event["id"] for event in document["waiting"]} == {str(one) for one in fresh}
    assert document["end"]["head"]["position"] == end and verify_audit.main([str(path)]) == 3


def test_a_purge_keeps_the_chain_whole_and_is_told_as_one(
    committed_in_file: Flask, superuser: psycopg.Connection[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with transaction():
        client = services.create(IndividualProfile(first_name="Ada", last_name="Lovelace"), by=BY)
        token, _ = tokens.create(audience=Audience.FRONTOFFICE, scopes=DEFAULT_SCOPES[Audience.FRONTOFFICE],
                                 name="Ada's phone", client_id=client.id)  # fmt: skip
        phone = Actor(kind="token", id=token.id, name="Ada's phone", role="frontoffice", address="192.0.2.9")
        asked = audit.record("test.asked", by=phone, object_type="thing", object_id=None, client_id=client.id,
                             after={"name": "Ada"})  # fmt: skip
    sealing.seal_all()
    assert verifying.verify().broken is None
    # what the register says of evidence, as the purge does it
    register = superuser.execute(
        "SELECT table_name, found_by, string_agg(format('%I = %s', column_name, becomes), ', ') FROM personal_column"
        " WHERE table_name LIKE 'audit%' GROUP BY 1, 2 ORDER BY min(id)"
    ).fetchall()
    for table, found_by, becomes in register:
        where = found_by.replace("$1", f"'{client.id}'::uuid")
        superuser.execute(f"UPDATE {table} SET {becomes} WHERE {where}")
    broken = verifying.verify().broken
    assert broken is not None and "retention is not over" in broken["sentence"], "only a purge may empty payloads"
    # a date alone is soon written: the event of the purge says so too
    superuser.execute("UPDATE client SET purged_at = now() WHERE id = %s", [client.id])
    assert verifying.verify().broken is not None
    with transaction():
        audit.record("deletion.purged", by=BY, object_type="deletion_request", object_id=None, client_id=client.id)
    sealing.seal_all()
    outcome = verifying.verify()
    assert outcome.broken is None and outcome.erased >= 2
    path = export_to(tmp_path)
    assert "Ada" not in path.read_text() and "192.0.2.9" not in path.read_text()
    assert verify_audit.main([str(path)]) == 0
    assert "erased under retention" in capsys.readouterr().out
    with as_it_was(superuser):
        superuser.execute("UPDATE audit_event SET actor_name = 'Another phone' WHERE id = %s", [asked])
        broken = verifying.verify().broken
        assert broken is not None and broken["position"] == place_of(asked)


@pytest.fixture
def exported(chain: list[UUID], tmp_path: Path) -> Path:
    return export_to(tmp_path)


def _tampering(change: Callable[[dict[str, Any], int], None]) -> Callable[[Path, int], None]:
    def change_file(path: Path, at: int) -> None:
        document = json.loads(path.read_text())
        change(document, at)
        path.write_text(json.dumps(document))

    return change_file


def _set(document: dict[str, Any], at: int, **fields: Any) -> None:
    document["events"][at].update(fields)


def test_a_tampered_copy_of_an_export_fails_at_the_right_record(
    committed_in_file: Flask, chain: list[UUID], exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify_audit.main([str(exported)]) == 0
    assert "VERIFIED" in capsys.readouterr().out
    original = exported.read_text()
    document = json.loads(original)
    at = next(i for i, event in enumerate(document["events"]) if event["id"] == str(chain[7]))
    place = document["events"][at]["seal"]["position"]

    def chain_entry(change: dict[str, Any], position: int) -> None:
        entry = next(e for e in change["chain"] if e["from"] <= position < e["from"] + len(e["digests"]))
        entry["digests"][position - entry["from"]] = "0" * 64

    changes: dict[str, Callable[[dict[str, Any], int], Any]] = {
        "action": lambda d, at: _set(d, at, action="test.nothing"),
        "actor": lambda d, at: _set(d, at, actor_name="Somebody"),
        "client": lambda d, at: _set(d, at, client_id=None),
        "time": lambda d, at: _set(d, at, occurred_at="2020-01-01T00:00:00.000000Z"),
        "payload": lambda d, at: d["events"][at]["payload"].update(reason="another"),
        "restricted": lambda d, at: d["events"][at]["payload"].update(restricted=None),
        "payload digest": lambda d, at: _set(d, at, payload_digest="1" * 64),
        "payload gone": lambda d, at: _set(d, at, payload=None),
        "hash": lambda d, at: d["events"][at]["seal"].update(hash="2" * 64),
        "digest": lambda d, at: chain_entry(d, place),
        "removed": lambda d, at: d["events"].pop(at),
    }
    for name, change in changes.items():
        _tampering(lambda d, at, change=change: change(d, at))(exported, at)
        first = verify_audit.verify(exported).first
        assert first is not None, name
        assert first.position in ({place, place + 1} if name == "removed" else {place}), (name, first)
        assert verify_audit.main([str(exported)]) == 1
        assert f"Position {first.position}" in capsys.readouterr().out
        exported.write_text(original)
    # in its own layout a line that cannot be read is named, and so is an end that is missing
    lines = original.splitlines(keepends=True)
    exported.write_text("".join(lines[: len(lines) // 2]))
    assert verify_audit.main([str(exported)]) == 1 and "BROKEN" in capsys.readouterr().out
    exported.write_text(original.replace('"test.happened"', '"test.happened', 1))
    line = next(n for n, one in enumerate(lines, start=1) if '"test.happened"' in one)
    assert verify_audit.main([str(exported)]) == 1 and f"line {line} " in capsys.readouterr().out
    for content in ("no JSON", "[]", "{}", '{"format": "another", "events": []}'):
        exported.write_text(content)
        assert verify_audit.main([str(exported)]) == 2 and "NOT VERIFIED" in capsys.readouterr().out
    assert verify_audit.main([str(tmp_path / "none.json")]) == 2
    # a part of the chain is tied to the head as well, and a record that is missing in it is noticed
    part = export_to(tmp_path, EventFilter(clients=(CLIENT,), action="test.happened"))
    result = verify_audit.verify(part)
    assert result.first is None and result.events >= 3
    _tampering(lambda d, at: d["events"].pop(0))(part, 0)
    assert verify_audit.verify(part).first is not None


def _begin_later(document: dict[str, Any], count: int) -> None:
    """Cut the first records away, so that the rest looks whole."""
    document["events"] = document["events"][count:]
    for number, event in enumerate(document["events"], start=1):
        event["number"] = number
    document["end"]["events"] = len(document["events"])


#: what a forger does to a file that says it is complete; each is found though every hash that is left fits
FORGERIES: dict[str, Callable[[dict[str, Any], int], Any]] = {
    "no head": lambda d, at: d["end"].update(head=None),
    "an actor without salt": lambda d, at: _set(d, at, actor_salt=None, actor_name="Somebody", address=None),
    "a payload said to be withheld": lambda d, at: _set(d, at, payload_state="withheld"),
    "a payload said to be erased": lambda d, at: _set(d, at, payload_state="erased"),
    "more in the record": lambda d, at: _set(d, at, note="forged"),
    "more in the payload": lambda d, at: d["events"][at]["payload"].update(note="forged"),
    "a number for a text": lambda d, at: _set(d, at, action=7),
    "the beginning cut": lambda d, at: _begin_later(d, 2),
}


def test_a_forged_file_is_found_where_its_hashes_fit(chain: list[UUID], exported: Path) -> None:
    original = exported.read_text()
    events = json.loads(original)["events"]
    at = next(i for i, event in enumerate(events) if event["id"] == str(chain[7]))
    for name, change in FORGERIES.items():
        _tampering(change)(exported, at)
        assert verify_audit.main([str(exported)]) == 1, name
        exported.write_text(original)
    # one name twice says one thing here and another elsewhere
    exported.write_text(
        original.replace('"action": "test.happened"', '"action": "forged", "action": "test.happened"', 1)
    )
    assert verify_audit.main([str(exported)]) in {1, 2}


#: what may be put before the verifier, what it ends with and what it says; a clear answer and never a traceback
HOSTILE: dict[str, tuple[Callable[[str], bytes], int | None, str]] = {
    "windows": (lambda t: t.replace("\n", "\r\n").encode(), 0, "VERIFIED."),
    "a mark in front": (lambda t: b"\xef\xbb\xbf" + t.encode(), 0, "VERIFIED."),
    "sorted anew": (lambda t: json.dumps(json.loads(t), sort_keys=True).encode(), 0, "VERIFIED."),
    "empty": (lambda t: b"", 2, "this is no JSON"),
    "nothing but NUL": (lambda t: b"\0" * 1000, 2, "this is no JSON"),
    "NUL inside": (lambda t: t.replace('"test.happened"', '"test.\0happened"', 1).encode(), 1, "cannot be read"),
    "not UTF-8": (lambda t: t.encode().replace(b"test.happened", b"test.h\xffppened", 1), 1, "was changed"),
    "UTF-16": (lambda t: t.encode("utf-16"), 2, "this is no JSON"),
    "deep": (lambda t: b"[" * 200_000, 2, "this is no JSON"),
    "deep inside": (
        lambda t: t.replace('{"number": 1,', '{"number": ' + "[" * 200_000 + ",", 1).encode(), 1, "line 5 of the file"),
    "deep payload": (
        lambda t: t.replace('"after": {', '"after": {"x": ' + "[" * 900 + "]" * 900 + ", ", 1).encode(), None, ""),
    "a long line": (
        lambda t: t.replace('"title"', '"t' + "x" * 1_000_000 + '"', 1).encode(), 1, "line 3 of the file is longer"),
    "a long number": (
        lambda t: t.replace('{"number": 1,', '{"number": ' + "9" * 5000 + ",", 1).encode(), 1, "line 5 of the file"),
    "no number": (lambda t: t.replace('{"number": 1,', '{"number": NaN,', 1).encode(), 1, "line 5 of the file"),
    "a section twice": (
        lambda t: t.replace('"start":', '"events": [\n],\n"start":', 1).encode(), 1, '"events" again'),
    "a header twice": (
        lambda t: t.replace('"about":', '"format": "countinghouse audit 1",\n"about":', 1).encode(), 1,
        '"format" again'),
    "an end twice": (lambda t: (t + '"end": {}\n').encode(), 1, '"end" again'),
    "twice in another layout": (
        lambda t: t.replace("\n", " ").replace('"start":', '"events": [], "start":').encode(), 1,
        '"events" stands twice'),
    "an unknown section": (lambda t: t.replace('"about":', '"note\x1b[31m": 1,\n"about":', 1).encode(), 1, ""),
    "types": (lambda t: re.sub(r'"position": \d+', '"position": "1"', t).encode(), 2, "has not the form"),
    "a list for an object": (lambda t: re.sub(r'"end": .*', '"end": []', t).encode(), 2, "has not the form"),
    "an object for a list": (
        lambda t: json.dumps({**json.loads(t), "events": {}}).encode(), 2, '"events" is no list'),
    "records that are none": (
        lambda t: json.dumps({**json.loads(t), "events": [1, None]}).encode(), 2, "has not the form"),
    "a chain that is none": (lambda t: json.dumps({**json.loads(t), "chain": [7]}).encode(), 2, "has not the form"),
    "a hash that is none": (
        lambda t: json.dumps({**json.loads(t), "start": {"position": 0, "hash": 5}}).encode(), 2, "has not the form"),
}  # fmt: skip


def test_whatever_file_it_is_given_the_verifier_answers_clearly(
    chain: list[UUID], exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    original = exported.read_text()
    longest = max(map(len, original.splitlines()))
    monkeypatch.setattr(verify_audit, "LONGEST_LINE", longest + 500_000)
    for name, (change, code, said) in HOSTILE.items():
        exported.write_bytes(change(original))
        answer = verify_audit.main([str(exported)])
        out = capsys.readouterr().out
        assert answer == code if code is not None else answer in {1, 2}, (name, answer, out)
        assert said in out and out.isascii() and "\x1b" not in out, (name, out)
        assert (answer == 0) is ("VERIFIED. " in out and "NOT VERIFIED" not in out), (name, out)
    monkeypatch.setattr(verify_audit, "LARGEST_DOCUMENT", 10)
    exported.write_text(json.dumps(json.loads(original)))
    assert verify_audit.main([str(exported)]) == 2 and "too large" in capsys.readouterr().out
    assert verify_audit.main([str(tmp_path)]) == 2 and "NOT VERIFIED" in capsys.readouterr().out
    # the file of kept heads as well
    exported.write_text(original)
    kept = tmp_path / "heads.jsonl"
    for content, said in (
        (b"", "the file of heads is empty"), (b"\0\n", "line 1 of heads.jsonl is no head"), (b"\xff", "is no head"),
        (b"[" * 100_000, "is no head"), (b'{"position": true, "hash": "a", "at": 1}', "is no head"),
        (b"7", "is no head"),
    ):  # fmt: skip
        kept.write_bytes(content)
        assert verify_audit.main([str(exported), "--heads", str(kept)]) == 2, content
        assert said in capsys.readouterr().out, content


def test_a_file_that_no_kept_head_lies_in_is_not_called_verified(
    chain: list[UUID], exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = json.loads(exported.read_text())["end"]["head"]
    kept = tmp_path / "heads.jsonl"
    kept.write_text(json.dumps({"at": "2026-01-01", **head}) + "\n")
    assert verify_audit.main([str(exported), "--heads", str(kept)]) == 0
    assert "1 of 1 kept heads compared" in capsys.readouterr().out
    since = session().get_one(AuditEvent, chain[7]).occurred_at
    part = export_to(tmp_path, EventFilter(since=since))
    kept.write_text(json.dumps({"at": "2026-01-01", "position": 1, "hash": "0" * 64}) + "\n")
    assert verify_audit.main([str(part), "--heads", str(kept)]) == 2
    assert "nothing outside ties it" in capsys.readouterr().out


def test_a_reader_who_may_not_see_everything_exports_what_still_verifies(
    committed_in_file: Flask, chain: list[UUID], tmp_path: Path
) -> None:
    blind = Reader(of_clients=False, restricted=False, open_actions=("test.happened", "test.asked"),
                   house=frozenset({"thing"}))  # fmt: skip
    path = export_to(tmp_path, reader=blind)
    text = path.read_text()
    assert "secret" not in text and "=1+1" not in text and "Phone of" not in text and "192.0.2.7" not in text
    result = verify_audit.verify(path)
    assert result.first is None and result.withheld >= 3
    half = Reader(of_clients=True, restricted=False, open_actions=("test.happened",))
    path = export_to(tmp_path, EventFilter(clients=(CLIENT,)), reader=half)
    text = path.read_text()
    assert "secret" not in text and "=1+1" in text and "test.asked" not in text
    assert verify_audit.verify(path).first is None


def test_nothing_waits_and_nothing_is_found_where_nothing_happened(committed_in_file: Flask, tmp_path: Path) -> None:
    path = export_to(tmp_path, EventFilter(object_id=new_id()))
    result = verify_audit.verify(path)
    assert result.events == 0 and result.first is None
    with transaction():
        assert session().execute(sa.select(sa.func.count()).select_from(audit_unsealed)).scalar_one() == 0
        assert list(searching.every(EventFilter(object_id=new_id()), reader=EVERYTHING, last=10**9)) == []
