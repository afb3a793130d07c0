"""Asking for an adjusting payment."""

from __future__ import annotations
