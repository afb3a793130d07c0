"""`flask sandbox-provider`, or `python -m dashboard.transfers.simulator` without loading the product."""

from __future__ import annotations

import click


@click.command("sandbox-provider")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: SANDBOX_PORT.")
@click.option("--seed", default=1, show_default=True, help="What it does wrong is drawn from it.")
@click.option("--callback", help="Default: this installation on PORT, as provider sandbox.")
@click.option("--late", type=click.FloatRange(0, 1), help="Share of answers that come too late.")
@click.option("--rejected", type=click.FloatRange(0, 1), help="Share of instructions that are rejected.")
@click.option("--twice", type=click.FloatRange(0, 1), help="Share of callbacks that come twice.")
@click.option("--swapped", type=click.FloatRange(0, 1), help="Share of callbacks that come out of order.")
@click.option("--lost", type=click.FloatRange(0, 1), help="Share of callbacks that never come.")
@click.option("--shortest-seconds", type=float, help="Until an instruction is executed, at least.")
@click.option("--longest-seconds", type=float, help="Until an instruction is executed, at most.")
@click.option("--hold-seconds", type=float, help="How late a late answer is.")
def sandbox_command(port: int | None, seed: int, callback: str | None, **manners: float | None) -> None:
    """A payment provider for trying and testing, in this process, until it is ended."""
    from dashboard.settings import load
    from dashboard.transfers.simulator.serving import run

    run(load(), port=port, callback=callback, seed=seed, **manners)
