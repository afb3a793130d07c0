"""Demo data."""

from __future__ import annotations

from flask.cli import AppGroup

commands = AppGroup("demo", help="Demo data.")
