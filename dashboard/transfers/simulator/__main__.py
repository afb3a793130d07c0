"""`python -m dashboard.transfers.simulator`: the same as `flask sandbox-provider`, without loading the product."""

from __future__ import annotations

from dashboard.transfers.simulator.command import sandbox_command

if __name__ == "__main__":
    sandbox_command()
