"""Runs every benchmark on an embedded server in a temporary folder and prints tables.

Without options all parts, in this order, in about half an hour on a machine that does nothing else. BENCH_POSTINGS
and BENCH_CLIENTS make the larger databases of reading smaller.
"""

from __future__ import annotations

import argparse

from bench import clients, ledger_reading, payments, suggestions
from bench.server import started

PARTS = {
    "payments": (payments.run, "payments over HTTP and in batches beside what they are measured against"),
    "reading": (ledger_reading.run, "balances, statements and lists of the ledger at two sizes"),
    "clients": (clients.run, "lists and searches of clients at two sizes"),
    "suggestions": (suggestions.run, "whose unrecognized money is: how often it is right, and how long it takes"),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n")[0])
    for name, (_, told) in PARTS.items():
        parser.add_argument(f"--{name}", action="store_true", help=told)
    chosen = vars(parser.parse_args())
    with started() as bench:
        for name, (run, _) in PARTS.items():
            if chosen[name] or not any(chosen.values()):
                run(bench)


if __name__ == "__main__":
    main()
