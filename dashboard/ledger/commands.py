"""`flask ledger …`: the ledger from the command line."""

from __future__ import annotations

from flask.cli import AppGroup

ledger_commands = AppGroup("ledger", help="Business days, balances and imports of payments.")
