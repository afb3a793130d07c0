"""Commands of transfers."""

from __future__ import annotations

from flask.cli import AppGroup

transfer_commands = AppGroup("transfers", help="Transfers and providers.")
