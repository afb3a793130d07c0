"""Audit events as `audit.services.record` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from dashboard.audit.verify_audit import payload_digest
from dashboard.home.demo_data.plan import Colleague
from dashboard.home.demo_data.rows import Sheets, identifier, moment


def write(
    sheets: Sheets,
    random: Random,
    at: int,
    action: str,
    by: Colleague,
    object_type: str,
    object_id: str,
    client_id: str | None,
    said: Mapping[str, Any],
) -> None:
    """`said`: before, after, reason, restricted, as far as there are any; `at` in milliseconds."""
    event = identifier(at, random)
    digest = None
    if any(said.values()):
        salt = f"{random.getrandbits(128):032x}"
        content = {part: said.get(part) for part in ("before", "after", "reason", "restricted")}
        digest = payload_digest(salt, content)
        sheets.add("audit_payload", event, salt, *content.values())
    sheets.add(
        "audit_event", event, moment(at), by.kind, by.id or None, by.name, by.role, action, object_type, object_id,
        client_id, digest,
    )  # fmt: skip
