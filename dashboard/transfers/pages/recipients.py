"""Recipients of a client."""

from __future__ import annotations
