"""Many payments in one request."""

from __future__ import annotations
