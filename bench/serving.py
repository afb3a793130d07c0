"""Applications served as in production: granian, two workers of eight threads, on a free port of the loopback."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench import load
from bench.figures import Figure
from bench.orders import Orders
from dashboard.settings import ROOT

if TYPE_CHECKING:
    from bench.webhooks import Webhooks

WORKERS, THREADS = 2, 8
START_SECONDS = 60.0
STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Served:
    """A running server; `pid` is the process above its workers."""

    port: int
    pid: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def measure(
        self, orders: Orders | Webhooks, *, connections: int, seconds: float, warm: float
    ) -> tuple[Figure, int]:
        """The figure under this load, and how many payments were answered in all. Raises load.WrongAnswer."""
        most = 40_000 if orders.size else 10_000
        before = cpu_seconds(self.pid)
        figure, answered = load.measure(load.Run(self.port, connections, seconds, warm, most), orders)
        web_us = (cpu_seconds(self.pid) - before) / answered * 1e6
        return replace(figure, rss_bytes=sum(memory(pid) for pid in workers(self.pid)), web_us=web_us), answered


@contextmanager
def served(target: str, folder: Path, env: Mapping[str, str]) -> Iterator[Served]:
    """`target` as granian names it, with both workers ready. Raises RuntimeError when it does not start."""
    port = _free_port()
    log = folder / f"granian-{port}.log"
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", str(WORKERS), "--blocking-threads", str(THREADS), "--log-level", "info", target,
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait(process, port, log)
        yield Served(port, process.pid)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def scheduler(env: Mapping[str, str], folder: Path) -> Iterator[int]:
    """A scheduler beside the server, which also does background work; gives its process."""
    with (folder / "scheduler.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard.jobs"], cwd=ROOT, env={**os.environ, **env}, stdout=output,
            stderr=output, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def memory(pid: int, *, peak: bool = False) -> int:
    """Resident bytes of a process, now or at their highest; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{'VmHWM' if peak else 'VmRSS'}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def workers(parent: int) -> list[int]:
    """The processes that serve: children of granian that are not helpers of multiprocessing."""
    return [pid for pid, _ in _children(parent) if b"resource_tracker" not in _command(pid)]


def cpu_seconds(parent: int) -> float:
    """Processor time of a process and its children, ended ones too where the parent has waited for them."""
    own = _statistics(parent)
    # fields 14 to 17 of proc(5): user and system time, then the same of children that ended
    ticks = sum(int(value) for value in own[11:15]) if own else 0
    ticks += sum(int(value) for _, child in _children(parent) for value in child[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _children(parent: int) -> Iterator[tuple[int, list[str]]]:
    for process in Path("/proc").glob("[0-9]*"):
        statistics = _statistics(int(process.name))
        if statistics and int(statistics[1]) == parent:
            yield int(process.name), statistics


def _statistics(pid: int) -> list[str]:
    """What proc(5) says in `stat` from the third field on; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Both workers share the port, so an answer alone does not tell that both are there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        started = len(re.findall(r"Started worker-\d+", log.read_text(errors="replace")))
        if started >= WORKERS:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")
