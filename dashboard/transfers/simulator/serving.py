"""The simulator over HTTP, and the threads that execute and tell."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import simplejson
from werkzeug.exceptions import BadRequest, HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from dashboard.settings import Settings
from dashboard.transfers.providers.sandbox.signing import HEADER, signature
from dashboard.transfers.simulator.book import Book
from dashboard.transfers.simulator.manners import Manners

TELLERS = 6
TICK_SECONDS = 0.05
LARGEST_BODY = 4 * 1024 * 1024


class Simulator:
    """A WSGI application. `callback`: where it tells what became of things."""

    def __init__(self, book: Book, *, callback: str, secret: str) -> None:
        self.book, self.callback, self.secret = book, callback, secret
        self._paths = Map(
            [
                Rule("/instructions", endpoint="submit", methods=["POST"]),
                Rule("/instructions/<identifier>", endpoint="ask", methods=["GET"]),
                Rule("/credits", endpoint="credits", methods=["POST"]),
                Rule("/book", endpoint="contents", methods=["GET"]),
                Rule("/healthz", endpoint="healthz", methods=["GET"]),
            ]
        )
        self._stop = threading.Event()
        self._withheld: set[str] = set()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = LARGEST_BODY
        try:
            endpoint, values = self._paths.bind_to_environ(environ).match()
            response: Response = getattr(self, endpoint)(request, **values)
        except HTTPException as error:
            response = _json({"error": error.name}, error.code or 500)
        answer: Iterable[bytes] = response(environ, start)
        return answer

    # --- what is asked -----------------------------------------------------------------------------------------

    def submit(self, request: Request) -> Response:
        """Take instructions, each end-to-end id once."""
        found = _read(request).get("instructions")
        if not isinstance(found, list) or not found or not all(_is_instruction(each) for each in found):
            raise BadRequest
        manners, first = self.book.manners, found[0]["endToEndId"]
        if self.book.report(first) is None and manners.happens("late", manners.late, first):
            taken = manners.happens("late but taken", 0.5, first)
            # the second time it is answered: what was asked about is not asked for ever
            if taken or first not in self._withheld:
                self._withheld.add(first)
                if taken:
                    self.book.take(found)
                self._stop.wait(manners.hold_seconds)
                if not taken:
                    return _json({"error": "timeout"}, 504)
        return _json({"reports": self.book.take(found)})

    def ask(self, _request: Request, identifier: str) -> Response:
        report = self.book.report(identifier)
        if report is None:
            raise NotFound
        return _json(report)

    def credits(self, request: Request) -> Response:
        """Let money come in: one credit, or `credits` of them."""
        body = _read(request)
        found = body.get("credits", [body])
        if not isinstance(found, list) or not all(isinstance(each, dict) and "amount" in each for each in found):
            raise BadRequest
        return _json({"references": self.book.credit(found)}, 202)

    def contents(self, _request: Request) -> Response:
        return _json(self.book.contents())

    def healthz(self, _request: Request) -> Response:
        return _json({"status": "ok"})

    # --- what it tells -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to execute and to tell."""
        threading.Thread(target=self._execute, daemon=True).start()
        for _ in range(TELLERS):
            threading.Thread(target=self._tell, daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _execute(self) -> None:
        while not self._stop.wait(TICK_SECONDS):
            while self.book.finish_due():
                pass

    def _tell(self) -> None:
        client = httpx.Client(timeout=10.0, trust_env=False)
        while not self._stop.is_set():
            claimed = self.book.next_callbacks(1)
            if not claimed:
                self._stop.wait(TICK_SECONDS)
                continue
            for identifier, line, tries in claimed:
                body = line.encode()
                headers = {"Content-Type": "application/json", HEADER: signature(self.secret, body)}
                try:
                    answer = client.post(self.callback, content=body, headers=headers)
                    # refused for good is told once; trouble on the other side is told again
                    told = answer.status_code < 500 and answer.status_code not in {401, 404, 408, 429}
                except httpx.HTTPError:
                    told = False
                if told:
                    self.book.callback_done(identifier)
                else:
                    self.book.callback_failed(identifier, tries)


def _is_instruction(body: Any) -> bool:
    return (
        isinstance(body, dict) and isinstance(body.get("endToEndId"), str) and "amount" in body and "currency" in body
    )


def _read(request: Request) -> dict[str, Any]:
    try:
        body = simplejson.loads(request.get_data(), use_decimal=True)
    except ValueError:
        raise BadRequest from None
    if not isinstance(body, dict):
        raise BadRequest
    return body


def _json(body: Any, status: int = 200) -> Response:
    return Response(simplejson.dumps(body, use_decimal=True), status, content_type="application/json")


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None:
        """Nothing: the book says what happened."""


def serve(*, port: int, callback: str, secret: str, path: Path, manners: Manners) -> None:
    """Serve on 127.0.0.1 until the process is ended. Raises OSError where the port is taken."""
    simulator = Simulator(Book(path, manners), callback=callback, secret=secret)
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", port))
    probe.listen(128)
    server = make_server("127.0.0.1", port, simulator, threaded=True, request_handler=_Quiet, fd=probe.fileno())
    simulator.start()
    sys.stderr.write(f"Sandbox provider on http://127.0.0.1:{port}\n")
    try:
        server.serve_forever()
    finally:
        simulator.stop()


def run(
    settings: Settings, *, port: int | None = None, callback: str | None = None, seed: int = 1, **manners: float | None
) -> None:
    """Serve beside this installation. Ends the process with one line where that cannot be."""
    if settings.sandbox_secret is None:
        raise SystemExit("countinghouse: SANDBOX_SECRET is required where ENVIRONMENT=production")
    chosen = Manners(seed=seed, **{name: value for name, value in manners.items() if value is not None})
    listening = port or settings.sandbox_port
    try:
        serve(
            port=listening,
            callback=callback or f"http://127.0.0.1:{settings.port}/internal/ProviderCallbacks/sandbox",
            secret=settings.sandbox_secret,
            path=settings.instance_path / "sandbox" / "book.sqlite",
            manners=chosen,
        )
    except OSError as error:
        raise SystemExit(f"countinghouse: port {listening} cannot be used: {error.strerror}") from None
