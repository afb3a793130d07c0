"""The whole house: web, scheduler and simulator as processes of their own, to be asked, measured and killed."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from dashboard.settings import ROOT, Settings

START_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class House:
    """The processes. `manners` are the options of the simulator."""

    settings: Settings
    folder: Path
    manners: dict[str, float]
    seed: int = 1
    web_workers: int = 2
    port: int = field(default_factory=free_port)
    sandbox_port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    def _env(self) -> dict[str, str]:
        chosen = self.settings
        assert chosen.database_url and chosen.migration_database_url and chosen.secret_key
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            "DATABASE_URL": chosen.database_url.replace("+psycopg", ""),
            "MIGRATION_DATABASE_URL": chosen.migration_database_url.replace("+psycopg", ""),
            "SECRET_KEY": chosen.secret_key, "INSTANCE_PATH": str(self.folder), "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port), "ENVIRONMENT": "development",
        }  # fmt: skip

    def start(self, name: str) -> None:
        python = sys.executable
        options = [f"--{key.replace('_', '-')}={value}" for key, value in self.manners.items()]
        command = {
            "web": [
                python, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port),
                "--workers", str(self.web_workers), "--blocking-threads", "8", "--respawn-failed-workers",
                "--respawn-interval", "0.5", "--log-level", "error", "--factory", "dashboard.serve:application",
            ],
            "scheduler": [python, "-m", "dashboard.jobs"],
            "sandbox": [python, "-m", "dashboard.transfers.simulator", f"--seed={self.seed}", *options],
        }[name]  # fmt: skip
        with (self.folder / f"{name}.log").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                command, cwd=ROOT, env=self._env(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    def wait(self) -> None:
        """Until web and simulator answer."""
        deadline = time.monotonic() + START_SECONDS
        for url in (f"{self.address}/readyz", f"{self.sandbox}/healthz"):
            while True:
                with suppress(httpx.HTTPError):
                    if httpx.get(url, timeout=5, trust_env=False).status_code == 200:
                        break
                assert time.monotonic() < deadline, (url, self.log("web")[-2000:], self.log("sandbox")[-2000:])
                time.sleep(0.1)

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def kill(self, name: str) -> None:
        """`kill -9` of the process and all below it."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_a_web_worker(self) -> None:
        """`kill -9` of one; the server starts another. Raises RuntimeError where there is none."""
        parent = self.processes["web"].pid
        for each in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (each / "stat").read_text().rpartition(")")[2].split()
                if int(words[1]) == parent and b"resource_tracker" not in (each / "cmdline").read_bytes():
                    os.kill(int(each.name), signal.SIGKILL)
                    return
        raise RuntimeError("no worker of the web server was found")

    def book(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.sandbox}/book", timeout=60, trust_env=False).json()
        return found


@contextmanager
def running(settings: Settings, folder: Path, **options: Any) -> Iterator[House]:
    house = House(settings, folder, **options)
    try:
        for name in ("sandbox", "web", "scheduler"):
            house.start(name)
        house.wait()
        yield house
    finally:
        for name in list(house.processes):
            house.kill(name)


@dataclass(frozen=True)
class Wanted:
    """An outgoing transfer to be made."""

    account_id: str
    recipient_id: str
    amount: str
    key: str


def send_all(
    house: House, token: str, wanted: Sequence[Wanted], *, threads: int, milliseconds: list[float] | None = None
) -> dict[str, int]:
    """Ask for all of them, each with its idempotency key until it is answered; statuses with how often they came.

    `milliseconds` gets how long each took from its first try to its answer.
    """
    left, lock, answered = list(wanted), threading.Lock(), dict[str, int]()
    random.Random(1).shuffle(left)

    def work() -> None:
        with httpx.Client(base_url=house.address, timeout=20, trust_env=False) as http:
            while True:
                with lock:
                    if not left:
                        return
                    each = left.pop()
                body = (
                    f'{{"accountId":"{each.account_id}","recipientId":"{each.recipient_id}","amount":{each.amount},'
                    f'"currency":"eur","remittanceInformation":"{each.key}"}}'
                )
                headers = {
                    "Authorization": f"Bearer {token}", "Content-Type": "application/json",
                    "Idempotency-Key": each.key,
                }  # fmt: skip
                began = time.perf_counter()
                for _ in range(200):
                    try:
                        answer = http.post("/internal/integration/Transfers/outgoing", content=body, headers=headers)
                    except httpx.HTTPError:
                        time.sleep(0.2)
                        continue
                    if answer.status_code >= 500 or answer.status_code in {409, 429}:
                        time.sleep(0.2)
                        continue
                    break
                with lock:
                    if milliseconds is not None:
                        milliseconds.append((time.perf_counter() - began) * 1000)
                    said = str(answer.status_code) if answer.is_success else answer.text[:300]
                    answered[said] = answered.get(said, 0) + 1

    workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    return answered
