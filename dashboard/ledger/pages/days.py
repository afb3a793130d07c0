"""Business days: the open one, its end, closed ones."""

from __future__ import annotations
