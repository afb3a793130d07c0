"""Whether an approval is one of what the client is: a person's says nothing about a company, nor a lesser level's."""

from __future__ import annotations

from collections.abc import Iterable

from dashboard.clients.models import Client
from dashboard.clients.vocabulary import ClientType
from dashboard.onboarding.sumsub.reader import Message
from dashboard.onboarding.sumsub.rules import rules

_NAMES = {ClientType.INDIVIDUAL.value: "a person", ClientType.COMPANY.value: "a company"}


def misfit(client: Client, level: str | None, sayings: Iterable[Message]) -> str | None:
    """Why this approval may not open this client, in words; None where it may.

    `sayings`: what approved, and what confirmed it: each must fit, because a webhook says what its sender likes.
    """
    levels = {level}
    for message in sayings:
        if message.level:
            levels.add(message.level)
        kind = (message.applicant_type or client.type).lower()
        if kind != client.type:
            other = _NAMES.get(kind, "something else")
            return f"The approval is of {other}, and this client is {_NAMES[client.type]}."
        if message.member_of and client.type == ClientType.COMPANY:
            return "The approval is of a person within a company, and not of the company."
    allowed = rules().approving_levels
    if allowed and not levels <= allowed:
        return "The approval is of a level that opens no client (SUMSUB_APPROVING_LEVELS)."
    return None
