"""TS-08: unrecognized money to a client's account."""

from __future__ import annotations
