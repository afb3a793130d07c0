"""Payments: the product over HTTP beside what it is measured against, in turn, in one run.

`python -m bench.payments` runs this part alone, `--quick` only what counts most (16 connections, 3 seconds a figure,
no peer unless `--peer`, no pgbench), `--references` only what the product is measured against.

Every count of right answers is compared with what the database booked: a figure of payments that did not happen is no
figure.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from bench import hordak, product, pure_sql
from bench.figures import ROUNDS, Figure, Goal, Measured, NotRun, head, in_turn, line
from bench.load import WrongAnswer
from bench.orders import Orders
from bench.references import evidence_sql, least_sql
from bench.server import Bench, started
from bench.serving import Served, cpu_seconds, served

WARM_SECONDS = 1.0
CLIENTS, JUDGED = (1, 4, 16, 64), 16
SIZES = (100, 1_000, 10_000)
OF_BARE, OF_HORDAK, OF_SPREAD, OF_BATCHES = 0.7, 3.5, 0.9, 0.6

Programs = Mapping[str, Callable[[], Figure]]


@dataclass(frozen=True)
class Plan:
    """What of it is run. `seconds` is for the figures that are judged, `aside` for the others."""

    seconds: float = 6
    aside: float = 3
    clients: tuple[int, ...] = CLIENTS
    sizes: tuple[int, ...] = SIZES
    pure_sql: bool = True
    peer: bool = True
    product: bool = True


QUICK = Plan(seconds=3, clients=(JUDGED,), sizes=(1_000,), pure_sql=False, peer=False)
BARE, SPREAD, HOT, PEER = "bare Flask, spread", "product, spread", "product, one settlement account", "django-hordak"
BARE_HOT = "bare Flask, one settlement account"


def run(bench: Bench, plan: Plan | None = None) -> None:
    """Prints the tables."""
    plan = plan or Plan()
    readable, lean = bench.created("bench_least_readable"), bench.created("bench_least_lean")
    least_sql.make_tables(readable, lean=False)
    least_sql.make_tables(lean, lean=True)
    head(f"Payments one by one: medians of {ROUNDS} rounds, all in turn; ! misses its goal")
    if plan.pure_sql:
        # before any server holds connections: 64 of them nearly use up what the embedded server gives
        _least_sql(bench, plan, readable, lean)
    with _product(bench, plan) as ours:
        with served("bench.references.bare_flask:app", bench.folder, {"REFERENCE_URL": readable}) as bare:
            for clients in plan.clients:
                _over_http(bench, plan, clients, _bare(bench, bare, readable), ours)
        _batches(bench, plan, readable, lean, ours)


# --- the least SQL ------------------------------------------------------------------------------------------------


def _least_sql(bench: Bench, plan: Plan, readable: str, lean: str) -> None:
    for clients in plan.clients:
        pgbench = partial(pure_sql.one_by_one, folder=bench.folder, clients=clients, seconds=round(plan.aside))
        names = {
            "least SQL, spread": partial(pgbench, readable, hot=False),
            "least SQL, one settlement account": partial(pgbench, readable, hot=True),
            "least SQL on lean tables, spread": partial(pgbench, lean, hot=False),
        }
        for name, measured in in_turn(names).items():
            line(name, clients, measured)


# --- over HTTP ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Target:
    """A server under load, with what it is asked, how to count what it booked, and the database's process."""

    served: Served
    orders: Callable[..., Orders]
    booked: Callable[[], int]
    database: int
    url: str

    def measure(self, seconds: float, clients: int, *, hot: bool = False, size: int = 0) -> Figure:
        """Raises WrongAnswer, also where another number of payments was booked than answered."""
        before = self.booked()
        orders = self.orders(hot=hot, size=size)
        spent = cpu_seconds(self.database)
        figure, answered = self.served.measure(orders, connections=clients, seconds=seconds, warm=WARM_SECONDS)
        spent = cpu_seconds(self.database) - spent
        if (booked := self.booked() - before) != answered:
            raise WrongAnswer(f"{answered} payments were answered, {booked} booked")
        return replace(figure, database_us=spent / answered * 1e6)


def _bare(bench: Bench, web: Served, url: str) -> _Target:
    accounts, settlement = (
        [str(one) for one in least_sql.account_ids()],
        str(least_sql.account_id(least_sql.SETTLEMENT)),
    )

    def orders(*, hot: bool, size: int) -> Orders:
        return Orders("none", accounts, settlement if hot else None, size)

    return _Target(web, orders, partial(least_sql.booked, url), bench.pid(), url)


@contextmanager
def _product(bench: Bench, plan: Plan) -> Iterator[_Target | None]:
    """The product, or None where only the references are wanted."""
    if not plan.product:
        yield None
        return
    with product.started(bench) as ours:
        yield _Target(ours.served, ours.prepared.orders, ours.booked, bench.pid(), ours.url)


def _over_http(bench: Bench, plan: Plan, clients: int, bare: _Target, ours: _Target | None) -> None:
    judged = clients == JUDGED
    seconds = plan.seconds if judged else plan.aside
    programs: dict[str, Callable[[], Figure]] = {BARE: partial(bare.measure, seconds, clients)}
    if ours is not None:
        programs[SPREAD] = partial(ours.measure, seconds, clients)
        programs[HOT] = partial(ours.measure, seconds, clients, hot=True)
    programs[BARE_HOT] = partial(bare.measure, seconds, clients, hot=True)
    why_no_peer = ""
    if judged and plan.peer:
        try:
            bench.created("bench_hordak")
            peer = hordak.prepare(bench.folder, bench.server, "bench_hordak")
            programs[PEER] = partial(peer.measure, seconds=seconds, warm=WARM_SECONDS)
        except NotRun as reason:
            why_no_peer = str(reason)
    found = in_turn(programs)
    line(BARE, clients, found[BARE])
    line(BARE_HOT, clients, found[BARE_HOT])
    if PEER in found or why_no_peer:
        line(f"{PEER}, checked transfer, no HTTP", hordak.PROCESSES, found.get(PEER, why_no_peer))
    if SPREAD in found:
        line(SPREAD, clients, found[SPREAD], *_goals(found, judged))
        of_spread = Goal("product, spread", found[HOT].against(found[SPREAD]), OF_SPREAD if judged else None)
        line(HOT, clients, found[HOT], of_spread)


def _goals(found: Mapping[str, Measured], judged: bool) -> list[Goal]:
    goals = [Goal("bare Flask", found[SPREAD].against(found[BARE]), OF_BARE if judged else None)]
    if PEER in found:
        goals.append(Goal("django-hordak", found[SPREAD].against(found[PEER]), OF_HORDAK))
    return goals


# --- in batches ---------------------------------------------------------------------------------------------------


def _batches(bench: Bench, plan: Plan, readable: str, lean: str, ours: _Target | None) -> None:
    head(
        "Payments in batches, one connection, a commit for each batch; times are those of a batch; ! misses its goal\n"
        "  set-based limit: one statement writes on the product's tables, with their indexes, constraints and\n"
        "    triggers, the rows that the product writes for a batch: payment, transaction, state change, audit event,\n"
        "    balances; it decides nothing and knows no repeated requests. The product is judged by this one\n"
        "  least SQL: one statement for payment, transaction and balances alone, on tables with foreign keys and two\n"
        "    indexes (readable) or with primary keys and checks only (lean): no audit, no states, judges nothing"
    )
    tables = product.tables(bench, "bench_evidence")
    evidence = partial(
        pure_sql.evidence_in_batches,
        tables.url,
        [UUID(one) for one in tables.prepared.accounts],
        by=tables.prepared.token_id,
        seconds=plan.seconds,
    )
    limits: list[tuple[str, Callable[..., Figure], Callable[[], int]]] = [
        ("set-based limit", evidence, partial(evidence_sql.booked, tables.url)),
        ("least SQL, readable", *_least_batches(readable, plan)),
        ("least SQL, lean", *_least_batches(lean, plan)),
    ]
    for size in plan.sizes:
        programs: dict[str, Callable[[], Figure]] = {
            name: partial(_costed, partial(program, size=size, warm=WARM_SECONDS), booked, bench.pid())
            for name, program, booked in limits
        }
        name = f"product, batches of {size:,}"
        if ours is not None:
            programs[name] = partial(ours.measure, plan.seconds, 1, size=size)
        found = in_turn(programs)
        for each, *_ in limits:
            line(f"{each}, {size:,}", 1, found[each])
        if name in found:
            goals = [Goal(each, found[name].against(found[each]), None) for each, *_ in limits[1:]]
            line(
                name,
                1,
                found[name],
                Goal("the limit", found[name].against(found["set-based limit"]), OF_BATCHES),
                *goals,
            )
    if ours is not None:
        written, filled = evidence_sql.filled_columns(ours.url), evidence_sql.filled_columns(tables.url)
        assert written == filled, f"the limit fills other columns than the product: {filled} and {written}"


def _least_batches(url: str, plan: Plan) -> tuple[Callable[..., Figure], Callable[[], int]]:
    return partial(pure_sql.in_batches, url, seconds=plan.aside), partial(least_sql.booked, url)


def _costed(program: Callable[[], Figure], booked: Callable[[], int], database: int) -> Figure:
    """With the processor time that the database spent for each payment."""
    before, spent = booked(), cpu_seconds(database)
    figure = program()
    spent = cpu_seconds(database) - spent
    return replace(figure, database_us=spent / (booked() - before) * 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.payments", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="16 connections, 3 s a figure, no peer, no pgbench")
    parser.add_argument("--references", action="store_true", help="only what the product is measured against")
    parser.add_argument("--peer", action="store_true", help="with django-hordak, also where --quick leaves it out")
    chosen = parser.parse_args()
    plan = QUICK if chosen.quick else Plan()
    with started() as bench:
        run(bench, replace(plan, peer=plan.peer or chosen.peer, product=not chosen.references))


if __name__ == "__main__":
    main()
