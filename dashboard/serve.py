"""The supervisor behind `make run`: database, migrations, demo data, web and scheduler, in this order.

It stays alive while they run: what dies is started again, and one signal stops everything. Only light modules
are imported here. Flask, SQLAlchemy and Alembic take seconds to import, and a start that has nothing to migrate
needs none of them in this process.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import http.client
import importlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import psycopg

from dashboard import embedded
from dashboard.settings import ROOT, Settings, load

DEMO_CLIENTS = 2000
DEMO_SEED = 1
DEMO_PASSWORD = "demo-password-1"  # noqa: S105  (printed on purpose)
#: below INSTANCE_PATH, and beside the inbox: a person imports these
DEMO_STATEMENTS = "demo-statements"
DEMO_SIGN_INS = ("officer", "senior.officer", "treasurer", "senior.treasurer", "admin", "auditor")

STOP_SECONDS = 15.0
"""How long web and scheduler may take to finish what they are doing before they are killed."""
READY_SECONDS = 60.0
"""How long the web may take from its start to its first good answer."""
PORT_RELEASE_SECONDS = 5.0
"""How long a port may stay taken after a supervisor was killed: its children end a moment after it."""
TICK_SECONDS = 0.1
CALM_SECONDS = 60.0
LONGEST_BACKOFF_SECONDS = 30.0


class _CannotStart(Exception):
    """The message is the one line shown before the process ends with status 1."""


class _Stopped(Exception):
    """A signal came while something was still starting."""


@dataclass
class _Child:
    """A process that is started again when it ends."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    start_at: float = 0.0


class Supervisor:
    """Runs one installation until SIGINT, SIGTERM or SIGHUP."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.signals = 0
        self.server: embedded.Server | None = None
        self.server_retry_at = 0.0
        self.env: dict[str, str] = {}
        self.maintenance_url = ""
        python = sys.executable
        self.web = _Child(
            "web",
            [
                *(python, "-m", "granian", "--interface", "wsgi"),
                *("--host", settings.host, "--port", str(settings.port)),
                *("--workers", str(settings.web_workers), "--blocking-threads", str(settings.web_threads)),
                *("--respawn-failed-workers", "--respawn-interval", "0.5"),
                *("--workers-kill-timeout", str(int(STOP_SECONDS) - 5), "--log-level", "error"),
                *("--factory", "dashboard.serve:application"),
            ],
        )
        self.scheduler = _Child("scheduler", [python, "-m", "dashboard.jobs"])
        #: the simulator of a provider, where the demo has one
        self.sandbox: _Child | None = None

    def run(self) -> None:
        """Start everything and keep it running. Raises _CannotStart with the reason when it does not come up."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        with _only_one(self.settings.instance_path) as previous_was_killed:
            _check_port(self.settings, PORT_RELEASE_SECONDS if previous_was_killed else 0.0)
            try:
                self._start_database()
                self._migrate()
                signed_up = self._load_demo()
                statements = self._demo_statements(signed_up)
                self._spawn(self.web)
                self._wait_until_ready()
                # After the web: both import the same modules, and the web is what somebody waits for.
                self._spawn(self.scheduler)
                self._start_sandbox(signed_up)
                self._welcome(signed_up, statements)
                self._watch()
            except _Stopped:
                pass
            finally:
                self._stop_all()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signals += 1

    # --- start -------------------------------------------------------------------------------------------------

    def _start_database(self) -> None:
        settings = self.settings
        self.env = {**os.environ, "PYTHONUNBUFFERED": "1", "INSTANCE_PATH": str(settings.instance_path)}
        if settings.metrics_token is not None:
            # counts of processes that ended with the run before are nobody's any more
            folder = settings.instance_path / "metrics"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            self.env["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        if settings.database_url is not None:
            self.maintenance_url = settings.migration_database_url or settings.database_url
            return
        if settings.production:
            raise _CannotStart("ENVIRONMENT=production needs DATABASE_URL; the embedded PostgreSQL is for trying")
        _say(f"Starting PostgreSQL in {settings.instance_path}")
        self.server = embedded.ensure(settings.instance_path)
        self.maintenance_url = self.server.url(embedded.OWNER_ROLE)
        # PGHOSTADDR, PGOPTIONS and their like are meant for another server than this one
        self.env = {name: value for name, value in self.env.items() if not name.startswith("PG")}
        self.env |= {
            "DATABASE_URL": self.server.url(embedded.APP_ROLE),
            "MIGRATION_DATABASE_URL": self.maintenance_url,
            "COUNTINGHOUSE_EMBEDDED": "1",
        }

    def _migrate(self) -> None:
        newest = newest_migration(ROOT / "migrations" / "versions")
        current = self._ask("SELECT version_num FROM alembic_version")
        if newest is None or current == newest:
            return
        if current is not None and current > newest:
            raise _CannotStart(
                f"the database is at migration {current}, this program knows them up to {newest}: start a newer version"
            )
        _say(f"Migrating the database from {current or 'empty'} to {newest}")
        self._command("migrating the database", "database", "upgrade")

    def _load_demo(self) -> bool:
        """Load demo data where it is wanted and nobody has signed up yet; whether the demo sign-ins exist."""
        settings = self.settings
        if settings.production:
            return False
        if settings.demo and self._ask("SELECT count(*) FROM staff_member") == "0":
            _say(f"Loading demo data: {DEMO_CLIENTS} clients")
            self._command("loading demo data", "demo", "load", "--clients", str(DEMO_CLIENTS), "--seed", str(DEMO_SEED))
        email = f"{DEMO_SIGN_INS[0]}@demo.example"
        return self._ask("SELECT count(*) FROM staff_member WHERE email = %s", email) not in {None, "0"}

    def _demo_statements(self, signed_up: bool) -> Path | None:
        """The folder with what the demo's banks tell of the last business day that ended; None without demo data.

        They are something to try the product with: where they cannot be written, the house starts without them.
        """
        settings = self.settings
        if not signed_up or not settings.demo:
            return None
        day = self._ask("SELECT max(day) FROM business_day WHERE state = 'closed'")
        if day in {None, "None"}:
            return None
        out = settings.instance_path / DEMO_STATEMENTS
        folder = out / str(day)
        if not folder.is_dir():
            try:
                self._command("writing demo statements", "demo", "statements", "--out", str(out))
            except _CannotStart as error:
                _say(f"countinghouse: {error}; there are no demo statements")
                return None
        return folder

    def _start_sandbox(self, signed_up: bool) -> None:
        """The demo's transfers end by themselves; a taken port is said, and the house does without the simulator."""
        settings = self.settings
        if not signed_up or self._ask("SELECT 1 FROM provider WHERE key = 'sandbox' AND kind = 'sandbox'") is None:
            return
        reason = _why_port_is_closed("127.0.0.1", settings.sandbox_port)
        if reason is not None:
            _say(
                f"countinghouse: port {settings.sandbox_port} {reason}: transfers by the sandbox wait;"
                " set SANDBOX_PORT to a free one"
            )
            return
        self.sandbox = _Child("sandbox provider", [sys.executable, "-m", "dashboard.transfers.simulator"])
        self._spawn(self.sandbox)

    def _ask(self, question: str, *parameters: str) -> str | None:
        """The first column of the first row as text; None when there is no row, or no such table yet."""
        conninfo = self.maintenance_url.replace("+psycopg", "", 1)
        try:
            with psycopg.connect(conninfo, connect_timeout=10, autocommit=True) as connection:
                row = connection.execute(question, parameters).fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            return None
        except psycopg.Error as error:
            reason = (str(error).strip().splitlines() or ["no reason given"])[0]
            raise _CannotStart(f"the database cannot be used: {reason}") from None
        return None if row is None else str(row[0])

    def _command(self, what: str, *arguments: str) -> None:
        """Run one of the application's commands to its end. Raises _CannotStart when it fails."""
        process = self._popen([sys.executable, "-m", "flask", "--app", "wsgi", *arguments])
        while process.poll() is None:
            if self.signals:
                _say("Stopping")
                _end([process], lambda: self.signals > 1)
                raise _Stopped
            time.sleep(TICK_SECONDS / 2)
        if process.returncode != 0:
            raise _CannotStart(f"{what} failed with status {process.returncode}; its message stands above")

    def _popen(self, command: list[str]) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C in the terminal reaches the supervisor only, which then stops all in order.
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_supervisor,  # noqa: PLW1509  (no threads here)
        )

    def _spawn(self, child: _Child) -> None:
        if self.signals:
            raise _Stopped
        child.process = self._popen(child.command)
        child.started = time.monotonic()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        answer = "no answer"
        while True:
            if self.signals:
                raise _Stopped
            process = self.web.process
            if process is not None and process.poll() is not None:
                raise _CannotStart(f"the web ended with status {process.returncode}; its message stands above")
            status = _readiness(self.settings)
            if status == 200:
                return
            answer = f"status {status}" if status else answer
            if time.monotonic() > deadline:
                raise _CannotStart(f"the web was not ready after {READY_SECONDS:.0f} seconds ({answer} from /readyz)")
            time.sleep(TICK_SECONDS / 2)

    def _welcome(self, signed_up: bool, statements: Path | None) -> None:
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        lines = ["", f"  Countinghouse   http://{host}:{self.settings.port}"]
        if signed_up:
            lines += ["", "  Demo sign-ins   " + f"{DEMO_SIGN_INS[0]}@demo.example"]
            lines += [f"                  {name}@demo.example" for name in DEMO_SIGN_INS[1:]]
            lines += [f"  Password        {DEMO_PASSWORD}"]
        if statements is not None:
            lines += ["", f"  Bank statements of {statements.name}, to import and match:", f"  {statements}"]
        lines += ["", "  Ctrl-C stops everything", ""]
        _say("\n".join(lines))

    # --- watch -------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self.signals:
            now = time.monotonic()
            self._watch_database(now)
            for child in self._children():
                self._watch_child(child, now)
            time.sleep(TICK_SECONDS)

    def _children(self) -> list[_Child]:
        return [child for child in (self.sandbox, self.scheduler, self.web) if child is not None]

    def _watch_database(self, now: float) -> None:
        if self.server is None or now < self.server_retry_at or embedded.alive(self.server):
            return
        _say("PostgreSQL ended; starting it again")
        try:
            self.server = embedded.ensure(self.settings.instance_path)
            _say("PostgreSQL is back")
        except embedded.EmbeddedPostgresError as error:
            _say(f"countinghouse: {error}; next try in {LONGEST_BACKOFF_SECONDS:.0f} seconds")
            self.server_retry_at = time.monotonic() + LONGEST_BACKOFF_SECONDS

    def _watch_child(self, child: _Child, now: float) -> None:
        if child.process is None:
            if now >= child.start_at:
                self._spawn(child)
            return
        status = child.process.poll()
        if status is None:
            return
        # Web workers that outlived their parent would keep the port.
        _signal_group(child.process.pid, signal.SIGKILL)
        child.failures = 1 if now - child.started > CALM_SECONDS else child.failures + 1
        wait = min(LONGEST_BACKOFF_SECONDS, 0.5 * 2 ** (child.failures - 1))
        _say(f"The {child.name} process ended with status {status}; starting it again in {wait:g} seconds")
        child.process, child.start_at = None, now + wait

    # --- stop --------------------------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        """Scheduler and web first, so that nothing is cut off from its database in mid-work."""
        processes = [child.process for child in self._children() if child.process is not None]
        if self.signals and processes:
            _say("Stopping")
        _end(processes, lambda: self.signals > 1)
        if self.server is not None:
            try:
                embedded.stop(self.settings.instance_path)
            except embedded.EmbeddedPostgresError as error:
                _say(f"countinghouse: {error}")
        if self.signals:
            _say("Stopped")


def application() -> Any:
    """The WSGI application for a granian worker that ends together with its parent process.

    A worker that outlives a killed granian keeps the port, and the next start finds it taken.
    """
    _end_with_parent(signal.SIGKILL)
    return importlib.import_module("wsgi").app


def newest_migration(folder: Path) -> str | None:
    """The revision of the newest migration file (`0007_transfers.py` is 0007), None when there is none.

    Read from the file names: asking Alembic would cost seconds at every start.
    """
    found = (re.fullmatch(r"(\d{4})_\w+\.py", path.name) for path in folder.glob("*.py"))
    return max((match[1] for match in found if match), default=None)


def main() -> NoReturn:
    """Run the supervisor; ends the process with status 0 after a signal, 1 when the start is refused or fails."""
    if os.environ.get("COUNTINGHOUSE_STOP_WITH_PARENT") == "1":
        _end_with_parent(signal.SIGTERM)
    try:
        Supervisor(load()).run()
    except (_CannotStart, embedded.EmbeddedPostgresError) as error:
        print(f"countinghouse: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    sys.exit(0)


@contextmanager
def _only_one(instance_path: Path) -> Iterator[bool]:
    """Hold the data directory for the life of this process; yields whether the run before was killed.

    Raises _CannotStart when another supervisor holds it. The system frees the lock with the process, however it
    ends; the pid in the file is removed by a clean end only.
    """
    path = instance_path / "run.lock"
    try:
        instance_path.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = path.open("a+")
    except OSError as error:
        raise _CannotStart(f"the data directory {instance_path} cannot be used: {error.strerror}") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            pid = handle.read(20).strip() or "unknown"
            raise _CannotStart(
                f"{instance_path} is in use by another `make run` (process {pid}); "
                "stop that one or set INSTANCE_PATH and PORT"
            ) from None
        handle.seek(0)
        previous_was_killed = handle.read(20).strip() != ""
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        try:
            yield previous_was_killed
        finally:
            handle.truncate(0)


def _check_port(settings: Settings, patience_seconds: float) -> None:
    """Raise _CannotStart when the port is taken: the web server would share it with whoever has it."""
    deadline = time.monotonic() + patience_seconds
    while True:
        reason = _why_port_is_closed(settings.host, settings.port)
        if reason is None:
            return
        if time.monotonic() >= deadline:
            raise _CannotStart(
                f"port {settings.port} on {settings.host} {reason}; set PORT to a free one: PORT=8080 make run"
            )
        time.sleep(TICK_SECONDS)


def _why_port_is_closed(host: str, port: int) -> str | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # Connections of the run before that still linger are no reason, a listener is.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except PermissionError:
        return "needs more rights than this user has"
    except OSError as error:
        return "is taken by another program" if error.errno == errno.EADDRINUSE else f"fails: {error}"
    return None


def _readiness(settings: Settings) -> int | None:
    # A server on every address is asked at the one that is always there.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1
_supervisor_pid = os.getpid()


def _end_with_parent(number: signal.Signals) -> None:
    """Let the system send this process the signal when its parent dies (Linux; elsewhere nothing happens)."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number))


def _end_with_supervisor() -> None:
    """Runs in a new child before its program: a killed supervisor must leave nothing on the port."""
    _end_with_parent(signal.SIGKILL)
    if os.getppid() != _supervisor_pid:
        os._exit(1)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _end(processes: list[subprocess.Popen[bytes]], hurry: Callable[[], bool]) -> None:
    """Ask the processes to end, wait, then kill what is left; at once when `hurry()` says so."""
    for process in processes:
        if process.poll() is None:
            # Only the first process of the group: it lets its workers finish what they are answering.
            process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while any(process.poll() is None for process in processes) and time.monotonic() < deadline and not hurry():
        time.sleep(TICK_SECONDS / 4)
    for process in processes:
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()


def _say(text: str) -> None:
    # A closed terminal is no reason to leave the children behind.
    with suppress(OSError, ValueError):
        print(text, flush=True)


if __name__ == "__main__":
    main()
