"""Rates, margins and positions."""

from __future__ import annotations
