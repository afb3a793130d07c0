"""`python -m dashboard.transfers.simulator`: the same as `flask sandbox-provider`, without loading the product."""

from __future__ import annotations

from dashboard.settings import load
from dashboard.transfers.simulator.serving import run

if __name__ == "__main__":
    run(load())
