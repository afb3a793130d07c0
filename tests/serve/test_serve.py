"""The supervisor behind `make run`, with the real application and a database of its own in a temporary folder.

The tests share one data directory and run one supervisor at a time: only the first start has to migrate.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dashboard import embedded
from dashboard.serve import newest_migration

ROOT = Path(__file__).resolve().parents[2]


class Run:
    """One `python -m dashboard.serve`."""

    def __init__(self, instance: Path, port: int, workers: int = 1) -> None:
        self.instance = instance
        self.port = port
        self.log = instance.parent / f"run-{time.monotonic_ns()}.log"
        passed = ("PATH", "HOME", "LANG", "TMPDIR", "USER")
        env = {name: os.environ[name] for name in passed if name in os.environ}
        env |= {"INSTANCE_PATH": str(instance), "PORT": str(port), "DEMO": "0", "WEB_WORKERS": str(workers)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dashboard.serve"], cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT
            )

    def get(self, path: str) -> int:
        """The status of a GET, 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def until_ready(self) -> Run:
        until(lambda: "Ctrl-C" in self.said() or self.process.poll() is not None, self.said, seconds=90)
        assert self.process.poll() is None, self.said()
        assert self.get("/readyz") == 200
        return self

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(40)


def until(true: Callable[[], bool], otherwise: Callable[[], str] = str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)


def processes_below(pid: int) -> dict[int, str]:
    """The living descendants of a process with their command lines."""
    found: dict[int, str] = {}
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text(errors="replace").rsplit(")", 1)[1].split()
            if fields[0] not in "ZX":
                parents[int(folder.name)] = int(fields[1])
    wanted = {pid}
    while more := {child for child, parent in parents.items() if parent in wanted} - wanted:
        wanted |= more
    for child in wanted - {pid}:
        with suppress(OSError):
            found[child] = (Path("/proc") / str(child) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text(errors="replace").rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("serve") / "instance"
    yield path
    embedded.stop(path)


@pytest.fixture
def start(instance: Path) -> Iterator[Callable[[], Run]]:
    """Starts supervisors on the shared data directory, each on a port that was free; ends those still alive."""
    runs: list[Run] = []

    def start_one(port: int | None = None) -> Run:
        runs.append(Run(instance, port or free_port()))
        return runs[-1]

    yield start_one
    for run in runs:
        if run.process.poll() is None:
            run.end()


def test_a_second_run_on_the_same_folder_is_refused_and_sigterm_stops_the_first_with_all_its_processes(
    start: Callable[[], Run], instance: Path
) -> None:
    first = start().until_ready()
    second = start()
    assert second.process.wait(10) == 1
    assert str(instance) in second.said()
    assert str(first.process.pid) in second.said()
    assert len(second.said().splitlines()) == 1
    assert first.get("/readyz") == 200

    server = embedded.running(instance)
    assert server is not None
    below = processes_below(first.process.pid)
    assert any("granian" in command for command in below.values()), below
    assert any("dashboard.jobs" in command for command in below.values()), below
    assert first.end() == 0
    assert not embedded.alive(server)
    assert embedded.running(instance) is None
    assert [pid for pid in below if is_alive(pid)] == []
    assert (instance / "run.lock").read_text() == ""


def test_after_a_kill_of_the_supervisor_nothing_keeps_the_port_and_the_next_start_comes_up(
    start: Callable[..., Run],
) -> None:
    first = start().until_ready()
    below = processes_below(first.process.pid)
    first.process.kill()
    first.process.wait()
    second = start(first.port).until_ready()
    assert [pid for pid in below if is_alive(pid)] == []
    assert second.end() == 0


def test_what_dies_is_started_again(start: Callable[[], Run], instance: Path) -> None:
    run = start().until_ready()
    below = processes_below(run.process.pid)
    web = next(pid for pid, command in sorted(below.items()) if "granian" in command)
    scheduler = next(pid for pid, command in below.items() if "dashboard.jobs" in command)
    database = int((instance / "postgres" / "postmaster.pid").read_text().split()[0])
    for pid in (database, web, scheduler):
        os.kill(pid, signal.SIGKILL)
    # as long as a start may take: the web imports everything anew, beside whatever else the machine does
    until(lambda: "PostgreSQL is back" in run.said(), run.said, seconds=90)
    until(lambda: run.get("/readyz") == 200, run.said, seconds=90)
    until(
        lambda: any("dashboard.jobs" in command for command in processes_below(run.process.pid).values()),
        run.said,
        seconds=90,
    )
    assert "The web process ended" in run.said()
    assert "The scheduler process ended" in run.said()
    # Ctrl-C
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(40) == 0
    assert embedded.running(instance) is None


def test_a_taken_port_is_said_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = int(other.getsockname()[1])
        run = Run(tmp_path / "instance", port)
        assert run.process.wait(10) == 1
    assert f"port {port} on 127.0.0.1 is taken" in run.said()
    assert "set PORT" in run.said()
    assert not (tmp_path / "instance" / "postgres").exists()


def test_the_newest_migration_is_read_from_the_file_names(tmp_path: Path) -> None:
    assert newest_migration(tmp_path) is None
    for name in ("0009_nine.py", "0010_ten_words.py", "__init__.py", "notes.txt", "0011.py", "0012_draft.py.orig"):
        (tmp_path / name).touch()
    assert newest_migration(tmp_path) == "0010"
