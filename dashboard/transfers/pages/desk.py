"""The desk for unrecognized money."""

from __future__ import annotations
