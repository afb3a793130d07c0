"""Runs every benchmark on an embedded server in a temporary folder and prints tables.

Without options all parts, in this order, in about half an hour on a machine that does nothing else. BENCH_POSTINGS,
BENCH_CLIENTS, BENCH_EXPORT_ROWS, BENCH_MATCHING and BENCH_TRANSFERS make the larger databases and runs smaller;
--quick sets them for a try of a few minutes, whose figures say little.
"""

from __future__ import annotations

import argparse
import importlib
import os

from bench.server import started

#: part, its module and what it measures
PARTS = {
    "payments": ("payments", "payments over HTTP and in batches beside what they are measured against"),
    "reading": ("ledger_reading", "balances, statements and lists of the ledger at two sizes"),
    "transfers": ("transfers", "outgoing transfers end to end against the sandbox, beside single payments"),
    "webhooks": ("webhooks", "webhooks kept and answered, beside the bare endpoint, while they are processed"),
    "clients": ("clients", "lists and searches of clients at two sizes"),
    "exports": ("exports", "a large CSV with the server's memory, and an XLSX made beside requests"),
    "statements": ("statements", "a large camt.053 read, beside lxml's bare iterparse"),
    "matching": ("matching", "a million ledger rows matched with a bank's lines, beside the plain join of them"),
    "treasury": ("treasury", "the treasury summary at two sizes, and the sums behind it"),
    "suggestions": ("suggestions", "whose unrecognized money is: how often it is right, and how long it takes"),
}
QUICK = {
    "BENCH_POSTINGS": "100000", "BENCH_CLIENTS": "20000", "BENCH_TRANSFERS": "200", "BENCH_MATCHING": "20000",
    "BENCH_TRANSACTIONS": "50000", "BENCH_EXPORT_ROWS": "20000",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n")[0])
    for name, (_, told) in PARTS.items():
        parser.add_argument(f"--{name}", action="store_true", help=told)
    parser.add_argument("--quick", action="store_true", help="a try of a few minutes on small databases")
    chosen = vars(parser.parse_args())
    if chosen.pop("quick"):
        # before the parts are loaded: they read their sizes then
        for variable, value in QUICK.items():
            os.environ.setdefault(variable, value)
    parts = {name: importlib.import_module(f"bench.{module}") for name, (module, _) in PARTS.items()}
    with started() as bench:
        for name, part in parts.items():
            if chosen[name] or not any(chosen.values()):
                part.run(bench)


if __name__ == "__main__":
    main()
