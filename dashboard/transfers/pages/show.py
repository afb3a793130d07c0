"""The page of one transfer."""

from __future__ import annotations
