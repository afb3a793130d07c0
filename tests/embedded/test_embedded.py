"""The embedded PostgreSQL, with real servers in temporary folders."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from dashboard import embedded

ROOT = Path(__file__).resolve().parents[2]
ENSURE = "import sys; from pathlib import Path; from dashboard import embedded; "
ENSURE += "server = embedded.ensure(Path(sys.argv[1])); print(server.url(embedded.APP_ROLE))"


def connect(server: embedded.Server, role: str, database: str = embedded.DATABASE) -> psycopg.Connection:
    return psycopg.connect(server.url(role, database).replace("+psycopg", ""), autocommit=True)


def postmaster(server: embedded.Server) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


def start_elsewhere(instance: Path, *prefix: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", ENSURE, str(instance)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def stopped_afterwards(instance: Path) -> Iterator[Path]:
    try:
        yield instance
    finally:
        embedded.stop(instance)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One data directory for all tests that leave its server in working order."""
    with stopped_afterwards(tmp_path_factory.mktemp("embedded")) as path:
        yield path


@pytest.fixture
def server(instance: Path) -> embedded.Server:
    return embedded.ensure(instance)


def test_a_second_call_finds_the_running_server(instance: Path, server: embedded.Server) -> None:
    first = postmaster(server)
    assert embedded.ensure(instance) == server
    assert postmaster(server) == first
    assert embedded.running(instance) == server
    assert embedded.alive(server)


def test_the_server_runs_with_our_settings(server: embedded.Server) -> None:
    with connect(server, embedded.APP_ROLE) as connection:
        for name, value in {**embedded.SERVER_SETTINGS, "fsync": "on", "listen_addresses": ""}.items():
            assert connection.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,), name
        assert connection.execute("SELECT 'Ą' < 'Ż', lower('ŁÓDŹ')").fetchone() == (True, "łódź")


def test_only_the_owner_reaches_data_and_socket(server: embedded.Server) -> None:
    for folder in (server.data, server.socket_dir):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.stat().st_uid != 0


def test_the_app_role_is_no_superuser_and_owns_nothing(server: embedded.Server) -> None:
    with connect(server, embedded.OWNER_ROLE) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS evidence (id int)")
    with connect(server, embedded.APP_ROLE) as app:
        rights = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
        flags = app.execute(f"SELECT rolname::text, {rights} FROM pg_roles WHERE rolname LIKE 'countinghouse%%'")
        assert sorted(flags.fetchall()) == [(embedded.APP_ROLE, False), (embedded.OWNER_ROLE, False)]
        assert app.execute("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole").fetchone() == (0,)
        assert app.execute("SELECT count(*) FROM pg_database WHERE datdba = current_user::regrole").fetchone() == (0,)
        for refused in ("CREATE TABLE mine (id int)", "CREATE SCHEMA mine", "SELECT * FROM evidence"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(refused)


def test_refused_values_never_reach_the_server_log(server: embedded.Server) -> None:
    with connect(server, embedded.OWNER_ROLE) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS person (email text UNIQUE, born date)")
        owner.execute("INSERT INTO person VALUES ('jane@private.example') ON CONFLICT DO NOTHING")
        for statement in (
            "INSERT INTO person VALUES ('jane@private.example')",
            "INSERT INTO person VALUES ('b', 'jane@private.example')",
            "SELECT 'jane@private.example' FROM nowhere",
        ):
            with pytest.raises(psycopg.Error):
                owner.execute(statement)
        with pytest.raises(psycopg.Error):
            owner.execute("SELECT %s::text::int", ["jane@private.example"])
    log = (server.data / "server.log").read_text()
    assert "ready to accept connections" in log
    assert "private.example" not in log


def test_data_survives_a_killed_server_whose_child_goes_on_working(instance: Path, server: embedded.Server) -> None:
    def work() -> None:
        with pytest.raises(psycopg.OperationalError), connect(server, embedded.OWNER_ROLE) as busy:
            busy.execute("SELECT count(*) FROM generate_series(1, 100000000000)")

    with connect(server, embedded.OWNER_ROLE) as owner:
        owner.execute("DROP TABLE IF EXISTS kept")
        owner.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    worker = threading.Thread(target=work)
    worker.start()
    time.sleep(0.3)
    os.kill(postmaster(server), signal.SIGKILL)
    again = embedded.ensure(instance)
    worker.join(10)
    assert not worker.is_alive()
    with connect(again, embedded.OWNER_ROLE) as owner:
        assert owner.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_killed_server_counts_as_dead(instance: Path, server: embedded.Server) -> None:
    os.kill(postmaster(server), signal.SIGKILL)
    deadline = time.monotonic() + 5
    while embedded.alive(server) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not embedded.alive(server)
    assert embedded.running(instance) is None
    assert embedded.alive(embedded.ensure(instance))


def test_a_pid_that_another_process_has_now_does_not_count(instance: Path, server: embedded.Server) -> None:
    embedded.stop(instance)
    lock = f"{os.getpid()}\n{server.data}\n0\n5432\n{server.socket_dir}\n\n0 0\nready   \n"
    (server.data / "postmaster.pid").write_text(lock)
    (server.socket_dir / ".s.PGSQL.5432.lock").write_text(lock)
    assert embedded.running(instance) is None
    assert embedded.alive(embedded.ensure(instance))


def test_stop_stops(instance: Path, server: embedded.Server) -> None:
    pid = postmaster(server)
    embedded.stop(instance)
    assert embedded.running(instance) is None
    assert not embedded.alive(server)
    assert not Path(f"/proc/{pid}/cwd").exists()
    embedded.stop(instance)
    with pytest.raises(psycopg.OperationalError):
        connect(server, embedded.APP_ROLE)


def test_three_at_once_start_one_server(tmp_path: Path) -> None:
    with stopped_afterwards(tmp_path / "instance") as instance:
        starters = [start_elsewhere(instance) for _ in range(3)]
        answers = [starter.communicate(timeout=60) for starter in starters]
        assert [starter.returncode for starter in starters] == [0, 0, 0], answers
        assert len({out for out, _ in answers}) == 1
        log = (instance / "postgres" / "server.log").read_text()
        assert log.count("starting PostgreSQL") == 1
        assert "FATAL" not in log


def test_a_first_start_that_was_killed_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    with stopped_afterwards(tmp_path / "instance") as instance:
        starter = start_elsewhere(instance)
        deadline = time.monotonic() + 10
        while not list(instance.glob("postgres.new-*/PG_VERSION")) and time.monotonic() < deadline:
            time.sleep(0.005)
        starter.kill()
        starter.communicate()
        assert not (instance / "postgres").exists()
        assert embedded.alive(embedded.ensure(instance))
        assert list(instance.glob("postgres.new-*")) == []


def test_a_long_or_unusual_path_gets_a_private_socket_folder(tmp_path: Path) -> None:
    with stopped_afterwards(tmp_path / ("a folder, 'quoted' $HOME é " + "x" * 90) / "instance") as instance:
        server = embedded.ensure(instance)
        try:
            assert server.data == instance / "postgres"
            assert server.socket_dir.parent == Path(tempfile.gettempdir()).resolve()
            assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
            with connect(server, embedded.APP_ROLE) as connection:
                assert connection.execute("SELECT current_user::text").fetchone() == (embedded.APP_ROLE,)
            # the temporary folder was cleaned under the running server
            shutil.rmtree(server.socket_dir)
            assert not embedded.alive(server)
            assert embedded.ensure(instance) == server
            assert embedded.alive(server)
        finally:
            embedded.stop(instance)
            shutil.rmtree(server.socket_dir)


def test_a_normal_user_runs_it_as_himself(tmp_path: Path) -> None:
    user, prefix = pwd.getpwuid(os.geteuid()), []
    if user.pw_uid == 0:
        user = pwd.getpwnam("nobody")
        # the one capability is for walking to this repository, which may lie in a 0700 home
        prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        prefix += ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, user.pw_uid, user.pw_gid)
    with stopped_afterwards(home / "instance") as instance:
        starter = start_elsewhere(instance, *prefix)
        out, err = starter.communicate(timeout=60)
        assert starter.returncode == 0, err
        assert "countinghouse_app@/countinghouse?host=" in out
        assert (instance / "postgres").stat().st_uid == user.pw_uid
        pid = (instance / "postgres" / "postmaster.pid").read_text().split()[0]
        assert f"Uid:\t{user.pw_uid}\t" in Path(f"/proc/{pid}/status").read_text()


def test_data_of_another_major_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    (data / "global").mkdir(parents=True)
    (data / "global" / "pg_control").write_bytes(b"precious")
    (data / "PG_VERSION").write_text("17\n")
    with pytest.raises(embedded.EmbeddedPostgresError, match=r"made by PostgreSQL 17, this program brings 18"):
        embedded.ensure(tmp_path)
    assert (data / "global" / "pg_control").read_bytes() == b"precious"


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "notes.txt").write_text("mine")
    with pytest.raises(embedded.EmbeddedPostgresError, match="holds no complete PostgreSQL data"):
        embedded.ensure(tmp_path)
    assert (tmp_path / "postgres" / "notes.txt").read_text() == "mine"


def test_a_server_that_cannot_start_says_why_in_one_line(tmp_path: Path) -> None:
    with stopped_afterwards(tmp_path / "instance") as instance:
        server = embedded.ensure(instance)
        embedded.stop(instance)
        with (server.data / "postgresql.conf").open("a") as file:
            file.write("no_such_setting = 1\n")
        with pytest.raises(embedded.EmbeddedPostgresError) as caught:
            embedded.ensure(instance)
        assert "no_such_setting" in str(caught.value)
        assert "\n" not in str(caught.value)
