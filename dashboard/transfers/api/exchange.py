"""Quotes and exchanges: TF-21."""

from __future__ import annotations
