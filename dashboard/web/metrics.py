"""Counting requests for Prometheus: how many, how they ended, how long they took (docs/adr/0034).

Several processes serve one installation. Where PROMETHEUS_MULTIPROC_DIR names a folder, each keeps its counts in a file
of its own there, and whichever process is asked adds them up; without it a process tells its own counts only. Labels
are the method, the route and the status: never an address with its identifiers.
"""

from __future__ import annotations

import os
import time

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from dashboard.web.logs import QUIET

#: in seconds; the last of them is where people notice
BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
#: anything else is somebody's invention, and would be a label for each of them
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_KEY = "countinghouse.request_counts"


class RequestCounts:
    """The counts of this process, or its part of those of all."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.ended = Counter(
            "countinghouse_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.took = Histogram(
            "countinghouse_request_seconds",
            "Time until an answer began; what a stream sends after that is not in it.",
            ["method", "route"],
            buckets=BUCKETS,
            registry=self.registry,
        )

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request more. `route` is the rule, not the path."""
        known = method if method in METHODS else "other"
        self.ended.labels(known, route, str(status)).inc()
        self.took.labels(known, route).observe(seconds)

    def exposed(self) -> bytes:
        """All counts as Prometheus reads them."""
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
        return generate_latest(everybody)


def counts(app: Flask) -> RequestCounts | None:
    """The application's counts; None where nobody may ask for them, and so nothing is counted."""
    found: RequestCounts | None = app.extensions.get(_KEY)
    return found


def install(app: Flask, *, wanted: bool) -> None:
    """Count every request but those for files and the probes of load balancers."""
    if not wanted:
        return
    counting = app.extensions[_KEY] = RequestCounts()

    @app.after_request
    def count(response: Response) -> Response:
        started = g.get("started")
        if started is not None and not (request.endpoint or "").endswith(QUIET):
            route = request.url_rule.rule if request.url_rule else "none"
            counting.add(request.method, route, response.status_code, time.perf_counter() - started)
        return response
