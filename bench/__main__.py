"""Runs every benchmark on an embedded server in a temporary folder and prints tables."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from bench import clients
from bench.server import Bench
from dashboard import embedded


def main() -> None:
    os.environ.pop("DATABASE_URL", None)
    # ended from outside, the server in the temporary folder must end too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="countinghouse-bench-"))
    try:
        bench = Bench(folder)
        machine = f"{platform.machine()}, {os.cpu_count()} processors"
        print(f"{machine}, Python {platform.python_version()}, {bench.version()}")
        settings = ("shared_buffers", "work_mem", "fsync", "synchronous_commit", "jit")
        print("; ".join(f"{name} {bench.setting(name)}" for name in settings), flush=True)
        clients.run(bench)
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
