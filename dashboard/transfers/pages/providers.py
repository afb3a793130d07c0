"""How the providers are."""

from __future__ import annotations
