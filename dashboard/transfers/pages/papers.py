"""Documents of a transfer."""

from __future__ import annotations
