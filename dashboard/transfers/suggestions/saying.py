"""What is said about a candidate: words with details, never one number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

#: of everything in this package; grows with every change of what is found or of its order
RULES_VERSION = "2"


@dataclass(frozen=True)
class Mark:
    """Where something stands in a text: characters from `start` up to `end` of `field` (remittance or payerName)."""

    field: str
    start: int
    end: int


@dataclass(frozen=True)
class Evidence:
    """One reason. `word` is stable, for machines; `text` is the sentence; `detail` holds what is behind it."""

    word: str
    text: str
    detail: dict[str, Any] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()
    #: not all candidates have it alike
    differs: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "word": self.word,
            "text": self.text,
            "detail": self.detail,
            "marks": [{"field": mark.field, "start": mark.start, "end": mark.end} for mark in self.marks],
            "differs": self.differs,
        }


@dataclass(frozen=True, repr=False)
class Candidate:
    """An account that the money may be for."""

    account_id: UUID
    account_number: str
    currency: str
    client_id: UUID
    client_name: str
    client_status: str
    reasons: tuple[Evidence, ...]
    against: tuple[Evidence, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "accountId": str(self.account_id),
            "accountNumber": self.account_number,
            "currency": self.currency,
            "clientId": str(self.client_id),
            "clientName": self.client_name,
            "clientStatus": self.client_status,
            "for": [evidence.as_json() for evidence in self.reasons],
            "against": [evidence.as_json() for evidence in self.against],
        }


@dataclass(frozen=True, repr=False)
class Suggestions:
    """At most three candidates, best first. `looked_at`: how many accounts anything spoke for."""

    transfer_id: UUID
    candidates: tuple[Candidate, ...]
    looked_at: int = 0
    rules_version: str = RULES_VERSION

    def as_json(self) -> dict[str, Any]:
        return {
            "transferId": str(self.transfer_id),
            "rulesVersion": self.rules_version,
            "lookedAt": self.looked_at,
            "candidates": [candidate.as_json() for candidate in self.candidates],
        }
