"""GL-02, GL-08, GL-10 and G2-01: accounts, for internal systems."""

from __future__ import annotations
