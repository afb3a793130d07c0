"""The peer: django-hordak, double entry on Django, installed only here, into an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, NotRun, of_latencies
from dashboard import embedded

REQUIREMENTS = ("django-hordak==2.0.0", "django==5.2.19", "psycopg[binary]==3.3.9")
PROCESSES = 4
PROGRAM = Path(__file__).parent / "references" / "hordak_transfers.py"


@dataclass(frozen=True)
class Peer:
    """An environment with hordak in it and a database filled for it."""

    python: Path
    env: dict[str, str]

    def measure(self, *, seconds: float, warm: float) -> Figure:
        """Checked transfers a second in four processes."""
        found = json.loads(_run(self.python, PROGRAM, "run", str(PROCESSES), str(seconds), str(warm), env=self.env))
        figure = of_latencies(len(found["times"]) / found["seconds"], found["times"])
        return Figure(figure.rate, figure.p50_ms, figure.p99_ms, found["rss_bytes"])


def prepare(folder: Path, server: embedded.Server, database: str) -> Peer:
    """Install and fill; `database` is empty and belongs to the owner role. Raises NotRun where that cannot be done."""
    python = folder / "hordak" / "bin" / "python"
    try:
        _run(Path(sys.executable), "-m", "venv", str(folder / "hordak"))
        _run(python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", *REQUIREMENTS)
        env = {
            "PEER_URL_HOST": str(server.socket_dir),
            "PEER_URL_PORT": str(embedded.PORT),
            "PEER_URL_DATABASE": database,
            "PEER_URL_USER": embedded.OWNER_ROLE,
        }
        _run(python, PROGRAM, "fill", env=env)
    except RuntimeError as error:
        raise NotRun(str(error)) from None
    return Peer(python, env)


def _run(python: Path, *arguments: str | Path, env: dict[str, str] | None = None) -> str:
    """What it printed. Raises RuntimeError with the last line of its complaint."""
    done = subprocess.run(
        [str(python), *map(str, arguments)],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return done.stdout
