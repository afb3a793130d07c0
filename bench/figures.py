"""Figures measured in turn, their medians, and the table that sets them beside their goals."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

ROUNDS = 3


class NotRun(Exception):
    """A program cannot be measured here; the message says why in one line."""


@dataclass(frozen=True)
class Figure:
    """Payments a second, how long one request or batch took, and the memory of the worker processes.

    Processor time for each payment, in the worker processes and in the database, says what it costs even while
    something else keeps the machine busy.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    rss_bytes: int | None = None
    web_us: float | None = None
    database_us: float | None = None


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
        found: dict[str, Any] = {}
        for name in (one.name for one in fields(Figure)):
            values = [value for one in self.rounds if (value := getattr(one, name)) is not None]
            found[name] = statistics.median(values) if values else None
        return Figure(**found)

    def against(self, reference: Measured) -> tuple[float, ...]:
        """The rounds' quotients, lowest first: both sides of one were measured side by side on the same machine."""
        return tuple(sorted(a.rate / b.rate for a, b in zip(self.rounds, reference.rounds, strict=True)))


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
    """The median of `quotients`, measured rate by the reference's, should be at least `least`; None judges nothing.

    A wide range beside the median says that something else kept the machine busy.
    """

    against: str
    quotients: tuple[float, ...]
    least: float | None

    def __str__(self) -> str:
        ratio = statistics.median(self.quotients)
        told = f"{ratio:7.2f} ({self.quotients[0]:.2f} to {self.quotients[-1]:.2f}) × {self.against}"
        return told if self.least is None else f"{told}, goal {self.least:g}{' !' if ratio < self.least else ''}"


#: title, where in a figure, divisor, decimals
_COLUMNS = (
    ("per s", "rate", 1, 0),
    ("p50 ms", "p50_ms", 1, 2),
    ("p99 ms", "p99_ms", 1, 2),
    ("RSS MB", "rss_bytes", 1e6, 0),
    ("web µs", "web_us", 1, 0),
    ("db µs", "database_us", 1, 0),
)


def head(title: str) -> None:
    print(f"\n{title}")
    print(f"{'':42}{'clients':>8}" + "".join(f"{name:>9}" for name, *_ in _COLUMNS), flush=True)


def line(name: str, clients: int, measured: Measured | str, *goals: Goal) -> None:
    """One row; a text instead of figures says why there are none."""
    row = f"{name:42}{clients:>8}"
    if isinstance(measured, str):
        print(f"{row}  not run: {measured}", flush=True)
        return
    figure = measured.middle
    for _, attribute, divisor, decimals in _COLUMNS:
        value = getattr(figure, attribute)
        row += f"{'' if value is None else format(value / divisor, f',.{decimals}f'):>9}"
    told = [str(goal) for goal in goals] or [""]
    for at, goal in enumerate(told):
        print((row if at == 0 else " " * len(row)) + goal)
    print(end="", flush=True)
