"""Transfers of all kinds for internal systems: TS-05 to TS-07, TS-09, TS-12 to TS-14."""

from __future__ import annotations
