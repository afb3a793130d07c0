"""The load generator: so many keep-alive connections over loopback, one loop over raw sockets, a process of its own.

`python -m bench.load` reads what to do as JSON from its input and prints what it found. It counts right answers only:
any other answer, a closed connection or a silence ends the run with an error. It stops by the clock or when the
requests rendered beforehand are used up, whichever is first, and waits for every answer it still has coming.
"""

from __future__ import annotations

import gc
import importlib
import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Protocol

from bench.figures import Figure, of_latencies

PATIENCE_SECONDS = 60.0


class WrongAnswer(Exception):
    """Something else than the right answer came; the message says what."""


@dataclass(frozen=True)
class Run:
    """`most` requests a second are rendered: the most that could be needed."""

    port: int
    connections: int
    seconds: float
    warm: float
    most: int


class Requests(Protocol):
    """What is sent: requests rendered beforehand, and which answers to them are right. A dataclass of plain values."""

    @property
    def payments(self) -> int: ...

    def rendered(self, count: int) -> list[bytes]: ...

    def is_right(self, status: int, body: bytes) -> bool: ...


def measure(run: Run, orders: Requests) -> tuple[Figure, int]:
    """The figure, and how many payments were answered in all (warming too), from a process of its own.

    Raises WrongAnswer.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(
            {"run": asdict(run), "of": [type(orders).__module__, type(orders).__name__], "orders": asdict(orders)}  # type: ignore[call-overload]
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise WrongAnswer(done.stderr.strip())
    found = json.loads(done.stdout)
    return Figure(**found["figure"]), found["answered"] * orders.payments


@dataclass
class _Connection:
    socket: socket.socket
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    answer: bytearray = field(default_factory=bytearray)
    began: float = 0.0

    def start(self, request: bytes) -> bool:
        """Send a request; whether all of it went out at once."""
        self.answer.clear()
        self.unsent = memoryview(request)
        self.began = time.perf_counter()
        return self.go_on_sending()

    def go_on_sending(self) -> bool:
        try:
            self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            return False
        return not self.unsent

    def received(self) -> tuple[int, bytes] | None:
        """Status and body once the whole answer is there. Raises WrongAnswer."""
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise WrongAnswer("the server closed the connection")
        self.answer += piece
        end = self.answer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self.answer[:end]).lower()
        _, found, length = head.partition(b"content-length:")
        if not found:
            raise WrongAnswer(f"an answer without Content-Length: {head!r}")
        if len(self.answer) < end + 4 + int(length.partition(b"\r\n")[0]):
            return None
        return int(head[9:12]), bytes(self.answer[end + 4 :])


def _answers(run: Run, orders: Requests, until: list[float]) -> Iterator[tuple[float, float]]:
    """When each right answer came and how long it took, until the clock passes `until` and all have come."""
    requests = orders.rendered(max(run.connections, int(run.most * (run.warm + run.seconds) / orders.payments)) + 8)
    gc.disable()
    with selectors.DefaultSelector() as selector:
        open_requests = 0
        for _ in range(run.connections):
            one = socket.create_connection(("127.0.0.1", run.port))
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.setblocking(False)
            selector.register(one, selectors.EVENT_READ, _Connection(one))
        for key in list(selector.get_map().values()):
            open_requests += 1
            if not key.data.start(requests.pop()):
                selector.modify(key.fileobj, selectors.EVENT_READ | selectors.EVENT_WRITE, key.data)
        while open_requests:
            events = selector.select(PATIENCE_SECONDS)
            if not events:
                raise WrongAnswer(f"no answer for {PATIENCE_SECONDS:.0f} seconds")
            for key, ready in events:
                connection: _Connection = key.data
                if ready & selectors.EVENT_WRITE and connection.go_on_sending():
                    selector.modify(key.fileobj, selectors.EVENT_READ, connection)
                if not ready & selectors.EVENT_READ:
                    continue
                answer = connection.received()
                if answer is None:
                    continue
                now = time.perf_counter()
                if not orders.is_right(*answer):
                    raise WrongAnswer(f"status {answer[0]}: {answer[1][:300]!r}")
                yield now, now - connection.began
                open_requests -= 1
                if requests and now < until[0]:
                    open_requests += 1
                    if not connection.start(requests.pop()):
                        selector.modify(key.fileobj, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)


def _load(run: Run, orders: Requests) -> tuple[Figure, int]:
    """The rate counts from the last answer of the warming to the last one in time: whole requests only."""
    until = [float("inf")]
    ends = first = last = 0.0
    answered = 0
    times: list[float] = []
    for now, took in _answers(run, orders, until):
        answered += 1
        if answered == 1:
            warm_until = now + run.warm
        if not first:
            if now >= warm_until:
                first, ends = now, now + run.seconds
                until[0] = ends
        elif now <= ends or not times:
            times.append(took * 1000)
            last = now
    if not times:
        raise WrongAnswer("no answer came after the warming: more requests must be rendered")
    return of_latencies(len(times) * orders.payments / (last - first), times), answered


def main() -> None:
    asked = json.load(sys.stdin)
    try:
        module, name = asked["of"]
        made: Requests = getattr(importlib.import_module(module), name)(**asked["orders"])
        figure, answered = _load(Run(**asked["run"]), made)
    except WrongAnswer as wrong:
        sys.exit(str(wrong))
    json.dump({"figure": asdict(figure), "answered": answered}, sys.stdout)


if __name__ == "__main__":
    main()
