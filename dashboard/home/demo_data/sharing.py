"""Dealing accounts to shards, and letting shards walk side by side, in processes of their own when it pays."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import ClassVar

from dashboard.home.demo_data.business_days import BusinessDay
from dashboard.home.demo_data.chart import Chart
from dashboard.home.demo_data.holdings import Holdings
from dashboard.home.demo_data.movements import SHARDS, Walk
from dashboard.home.demo_data.plan import Plan
from dashboard.home.demo_data.rows import Parcel


class Shards:
    """Accounts come in parcels of clients; each parcel goes to the next shard."""

    def __init__(self) -> None:
        self.holdings = [Holdings() for _ in range(SHARDS)]
        self._next = 0

    def deal(self, holdings: Holdings) -> None:
        self.holdings[self._next % SHARDS].extend(holdings)
        self._next += 1

    def parcels(self, plan: Plan, chart: Chart, days: list[BusinessDay], *, apart: bool) -> Iterator[Parcel]:
        """All shards' first day, then their second, and so on: rows stand in the order of time, roughly.

        `apart`: each shard walks in a process of its own, at most a parcel ahead.
        """
        walks = [
            _walker(own, chart, days, seed=f"money {plan.seed} {plan.transactions} {shard}", quota=quota, shard=shard,
                    zone=plan.zone)
            for shard, (own, quota) in enumerate(zip(self.holdings, self._quotas(plan.transactions), strict=True))
        ]  # fmt: skip
        with ExitStack() as stack:
            streams = [stack.enter_context(_Apart(walk)) if apart else walk() for walk in walks]
            while streams:
                for stream in list(streams):
                    parcel = next(stream, None)
                    if parcel is None:
                        streams.remove(stream)
                    else:
                        yield parcel

    def _quotas(self, transactions: int) -> list[int]:
        """Each shard's share by its accounts; together exactly what was asked, if there are accounts at all."""
        total, done, given = sum(map(len, self.holdings)), 0, 0
        quotas = []
        for own in self.holdings:
            done += len(own)
            upto = transactions * done // total if total else 0
            quotas.append(upto - given)
            given = upto
        return quotas


def _walker(
    holdings: Holdings, chart: Chart, days: list[BusinessDay], *, seed: str, quota: int, shard: int, zone: str
) -> Callable[[], Iterator[Parcel]]:
    def walk() -> Iterator[Parcel]:
        return Walk(holdings, chart, days, seed=seed, quota=quota, shard=shard, zone=zone).parcels()

    return walk


class _Apart:
    """An iterator whose work is done by a process of its own. The process inherits the accounts and shares nothing."""

    #: ends that a new process inherits and closes: once nobody listens, it must notice
    _listening: ClassVar[list[Connection]] = []

    def __init__(self, walk: Callable[[], Iterator[Parcel]]) -> None:
        context = multiprocessing.get_context("fork")
        self._here, there = context.Pipe(duplex=False)
        self._listening.append(self._here)
        self._process = context.Process(target=_send, args=(walk, there, list(self._listening)), daemon=True)
        self._process.start()
        there.close()

    def __enter__(self) -> Iterator[Parcel]:
        return iter(self._received, None)

    def _received(self) -> Parcel | None:
        try:
            found: Parcel | Exception | None = self._here.recv()
        except EOFError:
            raise RuntimeError("a process that invents payments has ended") from None
        if isinstance(found, Exception):
            raise found
        return found

    def __exit__(self, *_: object) -> None:
        self._listening.remove(self._here)
        self._here.close()
        self._process.terminate()
        self._process.join()


def _send(walk: Callable[[], Iterator[Parcel]], there: Connection, others: list[Connection]) -> None:
    for other in others:
        other.close()
    try:
        for parcel in walk():
            there.send(parcel)
        there.send(None)
    except BrokenPipeError:
        pass
    except Exception as error:  # told to whoever waits
        there.send(error)
