"""What internal systems do with outgoing transfers: TS-10, TS-11, T2-02, T2-03."""

from __future__ import annotations
