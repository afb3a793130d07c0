"""Payment orders as they go over the wire, rendered before the clock runs, and what a right answer to them is.

The bare endpoint and the product are asked the same: GL-30 for one payment, its batch form for many. Every request has
a fresh parent and a fresh `Idempotency-Key`.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

AMOUNT, CURRENCY = 1.25, "eur"
_ALL_DONE = re.compile(rb'"refused":\s*0\b')
ONE, MANY = "/internal/Payments", "/internal/Payments/batch"


@dataclass(frozen=True)
class Orders:
    """What is paid between whom. `settlement` makes it hot: half of the payments go to that account, half come from it.

    `size` 0 is one payment for each request, otherwise so many in a batch.
    """

    token: str
    accounts: Sequence[str]
    settlement: str | None = None
    size: int = 0

    @property
    def payments(self) -> int:
        """How many payments one request carries."""
        return self.size or 1

    def rendered(self, count: int) -> list[bytes]:
        """So many requests."""
        return [self._request() for _ in range(count)]

    def is_right(self, status: int, body: bytes) -> bool:
        """Whether everything that was asked is posted."""
        if self.size:
            return status == 200 and _ALL_DONE.search(body) is not None
        return status == 200 and b'"posted"' in body

    def _request(self) -> bytes:
        if self.size:
            path, document = MANY, {"payments": [self._payment() for _ in range(self.size)], "allOrNothing": True}
        else:
            path, document = ONE, self._payment()
        body = json.dumps(document).encode()
        lines = [
            f"POST {path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {self.token}",
            f"Idempotency-Key: {uuid4()}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def _payment(self) -> dict[str, object]:
        if self.settlement is None:
            debtor, creditor = random.sample(self.accounts, 2)
        else:
            debtor, creditor = random.sample((random.choice(self.accounts), self.settlement), 2)
        return {
            "parentId": str(uuid4()),
            "parentType": "transfer",
            "debtorAccountId": debtor,
            "creditorAccountId": creditor,
            "currency": CURRENCY,
            "amount": AMOUNT,
        }
