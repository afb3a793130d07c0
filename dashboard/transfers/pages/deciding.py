"""What people do at the desk."""

from __future__ import annotations
