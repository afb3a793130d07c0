"""Holidays that deadlines know."""

from __future__ import annotations
