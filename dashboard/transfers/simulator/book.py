"""The simulator's own book: instructions and credits as it has them, callbacks that are still to be told."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import simplejson

from dashboard.transfers.simulator.manners import NO_ORIGINAL, REASONS, Manners

_TABLES = """
CREATE TABLE IF NOT EXISTS instruction (
    end_to_end_id TEXT PRIMARY KEY, body TEXT NOT NULL, status TEXT NOT NULL, reference TEXT NOT NULL,
    code TEXT, reason TEXT, final_at REAL NOT NULL, told INTEGER NOT NULL, executions INTEGER NOT NULL DEFAULT 0,
    received INTEGER NOT NULL DEFAULT 1);
CREATE INDEX IF NOT EXISTS instruction_due ON instruction (final_at) WHERE status = 'accepted';
CREATE TABLE IF NOT EXISTS credit (reference TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS callback (
    id INTEGER PRIMARY KEY, body TEXT NOT NULL, due_at REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting');
CREATE INDEX IF NOT EXISTS callback_due ON callback (due_at) WHERE state = 'waiting';
"""


class Book:
    """Safe for threads: one connection, one lock."""

    def __init__(self, path: Path, manners: Manners) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.manners = manners
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_TABLES)
        # what was being told when the process ended is told again
        self._connection.execute("UPDATE callback SET state = 'waiting' WHERE state = 'telling'")

    def _all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    # --- instructions ------------------------------------------------------------------------------------------

    def take(self, instructions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Take all of them at once; one that is known keeps its first body. Gives their reports."""
        now, manners = time.time(), self.manners
        with self._lock:
            self._connection.execute("BEGIN")
            for body in instructions:
                identifier = body["endToEndId"]
                done = self._connection.execute(
                    "UPDATE instruction SET received = received + 1 WHERE end_to_end_id = ?", (identifier,)
                ).rowcount
                if done:
                    continue
                final_at = now + manners.delay("execute", identifier)
                reference = f"SBX{uuid4().hex[:16].upper()}"
                self._connection.execute(
                    "INSERT INTO instruction (end_to_end_id, body, status, reference, final_at, told)"
                    " VALUES (?, ?, 'accepted', ?, ?, 0)",
                    (identifier, _written(body), reference, final_at),
                )
                # out of order: that it was taken is told after that it was executed
                swapped = manners.happens("swap", manners.swapped, identifier)
                self._tell(
                    self._report(identifier, "accepted", reference, now),
                    final_at + 1.0 if swapped else now + 0.05,
                    identifier,
                )
            self._connection.execute("COMMIT")
            return [report for body in instructions if (report := self.report(body["endToEndId"]))]

    def report(self, identifier: str) -> dict[str, Any] | None:
        rows = self._all(
            "SELECT status, reference, code, reason, final_at FROM instruction WHERE end_to_end_id = ?", identifier
        )
        if not rows:
            return None
        status, reference, code, reason, final_at = rows[0]
        return self._report(identifier, status, reference, final_at, code, reason)

    def finish_due(self) -> int:
        """Execute or reject what is due, and tell it; gives how many."""
        now, manners = time.time(), self.manners
        with self._lock:
            due = self._all(
                "SELECT end_to_end_id, reference, body FROM instruction WHERE status = 'accepted' AND final_at <= ?"
                " ORDER BY final_at LIMIT 500",
                now,
            )
            if not due:
                return 0
            self._connection.execute("BEGIN")
            for identifier, reference, body in due:
                code, reason = None, None
                if self._returns_nothing(_read(body)):
                    code, reason = NO_ORIGINAL
                elif manners.happens("reject", manners.rejected, identifier):
                    code, reason = REASONS[hash_of(identifier) % len(REASONS)]
                rejected = code is not None
                status = "rejected" if rejected else "executed"
                self._connection.execute(
                    "UPDATE instruction SET status = ?, code = ?, reason = ?, told = 1, executions = executions + ?"
                    " WHERE end_to_end_id = ?",
                    (status, code, reason, 0 if rejected else 1, identifier),
                )
                if not manners.happens("lose", manners.lost, identifier):
                    self._tell(self._report(identifier, status, reference, now, code, reason), now, identifier)
            self._connection.execute("COMMIT")
        return len(due)

    def _returns_nothing(self, body: dict[str, Any]) -> bool:
        """Whether it would give a credit back that is not in the book, or more than came."""
        if not body.get("returns"):
            return False
        known = self._all("SELECT body FROM credit WHERE reference = ?", str(body["returns"]))
        return (
            not known or (told := _read(known[0][0]))["currency"] != body["currency"] or body["amount"] > told["amount"]
        )

    @staticmethod
    def _report(
        identifier: str, status: str, reference: str, at: float, code: str | None = None, reason: str | None = None
    ) -> dict[str, Any]:
        moment = datetime.fromtimestamp(at, UTC).isoformat()
        return {
            "kind": "instruction", "endToEndId": identifier, "status": status, "reference": reference, "code": code,
            "reason": reason, "at": moment,
        }  # fmt: skip

    # --- credits -----------------------------------------------------------------------------------------------

    def credit(self, bodies: list[dict[str, Any]]) -> list[str]:
        """Money comes in; gives the references."""
        now, references = time.time(), []
        with self._lock:
            self._connection.execute("BEGIN")
            for body in bodies:
                reference = str(body.get("reference") or f"SBC{uuid4().hex[:16].upper()}")
                told = {
                    "kind": "credit", **body, "reference": reference,
                    "bookedAt": body.get("bookedAt") or datetime.now(UTC).isoformat(),
                }  # fmt: skip
                made = self._connection.execute(
                    "INSERT INTO credit (reference, body) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    (reference, _written(told)),
                ).rowcount
                if made:
                    self._tell(told, now + self.manners.delay("credit", reference), reference)
                references.append(reference)
            self._connection.execute("COMMIT")
        return references

    # --- callbacks ---------------------------------------------------------------------------------------------

    def _tell(self, body: dict[str, Any], at: float, identifier: str) -> None:
        line = _written(body)
        self._connection.execute("INSERT INTO callback (body, due_at) VALUES (?, ?)", (line, at))
        if self.manners.happens(f"twice {body.get('status')}", self.manners.twice, identifier):
            self._connection.execute("INSERT INTO callback (body, due_at) VALUES (?, ?)", (line, at + 0.2))

    def next_callbacks(self, limit: int) -> list[tuple[int, str, int]]:
        """Claim what is due: (id, body, tries)."""
        with self._lock:
            rows = self._all(
                "SELECT id, body, tries FROM callback WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at LIMIT ?",
                time.time(), limit,
            )  # fmt: skip
            for identifier, _, _ in rows:
                self._connection.execute("UPDATE callback SET state = 'telling' WHERE id = ?", (identifier,))
        return rows  # type: ignore[return-value]

    def callback_done(self, identifier: int) -> None:
        self._all("UPDATE callback SET state = 'done' WHERE id = ?", identifier)

    def callback_failed(self, identifier: int, tries: int) -> None:
        """Tell it again later, as real providers do, for a day."""
        wait = min(60.0, 0.5 * 2 ** min(tries, 10))
        state = "waiting" if tries < 1500 else "given up"
        self._all(
            "UPDATE callback SET state = ?, tries = ?, due_at = ? WHERE id = ?",
            state, tries + 1, time.time() + wait, identifier,
        )  # fmt: skip

    def contents(self) -> dict[str, Any]:
        """The whole book, for whoever compares."""
        return {
            "instructions": [
                {"endToEndId": each[0], "status": each[1], "executions": each[2], "received": each[3],
                 "amount": _read(each[4])["amount"], "currency": _read(each[4])["currency"]}
                for each in self._all(
                    "SELECT end_to_end_id, status, executions, received, body FROM instruction ORDER BY rowid")
            ],
            "credits": [_read(each[0]) for each in self._all("SELECT body FROM credit ORDER BY rowid")],
            "callbacks": dict(self._all("SELECT state, count(*) FROM callback GROUP BY state")),
        }  # fmt: skip


def _written(body: Any) -> str:
    return simplejson.dumps(body, separators=(",", ":"), ensure_ascii=False, use_decimal=True)


def _read(line: str) -> Any:
    return simplejson.loads(line, use_decimal=True)


def hash_of(text: str) -> int:
    """The same in every process, unlike `hash`."""
    return sum(text.encode())
