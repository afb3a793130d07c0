"""What providers call when something became of a transfer."""

from __future__ import annotations
