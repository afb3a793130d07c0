"""The list of transfers of all kinds, and held ones."""

from __future__ import annotations
