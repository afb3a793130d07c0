"""Documents: TF-02, TS-01."""

from __future__ import annotations
