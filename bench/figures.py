"""Figures measured in turn, their medians, and the table that sets them beside their goals."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

ROUNDS = 3


class NotRun(Exception):
    """A program cannot be measured here; the message says why in one line."""


@dataclass(frozen=True)
class Figure:
    """Payments a second, how long one request or batch took, and the memory of the worker processes."""

    rate: float
    p50_ms: float
    p99_ms: float
    rss_bytes: int | None = None


def of_latencies(rate: float, milliseconds: Sequence[float]) -> Figure:
    """The figure of these requests, at least one."""
    ordered = sorted(milliseconds)
    return Figure(rate, ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)])


@dataclass(frozen=True)
class Measured:
    """The rounds of one program, in the order they were run."""

    rounds: tuple[Figure, ...]

    @property
    def middle(self) -> Figure:
        """The median of each number by itself."""
        memory = [one.rss_bytes for one in self.rounds if one.rss_bytes is not None]
        figure = Figure(*(statistics.median(getattr(one, name) for one in self.rounds) for name in _TIMES))
        return replace(figure, rss_bytes=int(statistics.median(memory))) if memory else figure

    def against(self, reference: Measured) -> float:
        """Median of the rounds' quotients: both sides of one were measured side by side on the same machine."""
        return statistics.median(a.rate / b.rate for a, b in zip(self.rounds, reference.rounds, strict=True))


_TIMES = ("rate", "p50_ms", "p99_ms")


def in_turn(programs: Mapping[str, Callable[[], Figure]], rounds: int = ROUNDS) -> dict[str, Measured]:
    """Every program once in each round, so that a machine that drifts drifts under all of them."""
    found: dict[str, list[Figure]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            found[name].append(program())
    return {name: Measured(tuple(figures)) for name, figures in found.items()}


# --- the table ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Goal:
    """`measured` divided by the reference should be at least `least`; None is only told, not judged."""

    against: str
    ratio: float
    least: float | None

    def __str__(self) -> str:
        if self.least is None:
            return f"{self.ratio:7.2f} × {self.against}"
        return f"{self.ratio:7.2f} × {self.against}, goal {self.least:g}{' !' if self.ratio < self.least else ''}"


def head(title: str) -> None:
    print(f"\n{title}")
    print(f"{'':46}{'clients':>8}{'per s':>9}{'p50 ms':>9}{'p99 ms':>9}{'RSS MB':>8}", flush=True)


def line(name: str, clients: int, measured: Measured | str, *goals: Goal) -> None:
    """One row; a text instead of figures says why there are none."""
    if isinstance(measured, str):
        print(f"{name:46}{clients:>8}  not run: {measured}", flush=True)
        return
    figure = measured.middle
    memory = "" if figure.rss_bytes is None else f"{figure.rss_bytes / 1e6:.0f}"
    row = f"{name:46}{clients:>8}{figure.rate:>9,.0f}{figure.p50_ms:>9.2f}{figure.p99_ms:>9.2f}{memory:>8}"
    told = [str(goal) for goal in goals] or [""]
    print(row + told[0])
    for more in told[1:]:
        print(" " * len(row) + more)
    print(end="", flush=True)
