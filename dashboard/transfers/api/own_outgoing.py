"""A client makes, confirms and cancels outgoing transfers: TF-01, TF-13, TF-15, TF-17, TF-22, TF-23."""

from __future__ import annotations
