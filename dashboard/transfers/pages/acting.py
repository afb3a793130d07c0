"""What people do with a held transfer."""

from __future__ import annotations
