"""What providers tell: TS-02, TS-03, TS-15."""

from __future__ import annotations
