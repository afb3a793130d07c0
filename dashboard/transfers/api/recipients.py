"""Recipients: TF-03 to TF-08, TS-04, T2-01."""

from __future__ import annotations
