"""GL-06, GL-12, GL-23, GL-24 and G2-02: balances as of a moment, sums, daily balances."""

from __future__ import annotations
