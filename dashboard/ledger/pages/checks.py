"""Balance checks: runs, progress, findings."""

from __future__ import annotations
