"""A client's own transfers: TF-09 to TF-12, TF-14, TF-16, TF-18 to TF-20, TF-24, TF-25."""

from __future__ import annotations
