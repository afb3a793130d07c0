"""Runs every benchmark on an embedded server in a temporary folder and prints tables."""

from __future__ import annotations

from bench import clients, payments
from bench.server import started


def main() -> None:
    with started() as bench:
        payments.run(bench)
        clients.run(bench)


if __name__ == "__main__":
    main()
