"""States of a client as a badge: the colour role (ok, wait, stop, info, neutral) and the word."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from dashboard.clients.calendar import calendar
from dashboard.clients.models import Client, ClientVerification
from dashboard.clients.vocabulary import KYC_LABELS, MARK_LABELS, KycState, MarkKind, Risk, Severity, Status


class Badge(NamedTuple):
    role: str
    word: str


_STATUS_ROLES = {Status.ACTIVE: "ok", Status.BLOCKED: "stop"}
_RISK_ROLES = {Risk.HIGH: "wait", Risk.PROHIBITED: "stop"}
_SEVERITY_ROLES = {Severity.STOP: "stop", Severity.CHECK: "wait"}


def status_badge(client: Client, freeze: str | None) -> Badge:
    """`freeze` is the effective scope, in words, of a blocked client (clients.queries.freezes)."""
    return badge_of_status(client.status, freeze)


def badge_of_status(status: str, freeze: str | None) -> Badge:
    """The same where the status alone is known."""
    if status == Status.BLOCKED:
        return Badge("stop", f"Blocked: {freeze or 'all'}")
    return in_words(status.capitalize())


def risk_badge(level: int) -> Badge:
    risk = Risk(level)
    return Badge(_RISK_ROLES.get(risk, "neutral"), f"Risk: {risk.label}")


_KYC_ROLES = {
    KycState.APPROVED: "ok",
    KycState.REJECTED: "stop",
    KycState.PENDING: "info",
    KycState.ON_HOLD: "wait",
    KycState.RETRY: "wait",
    KycState.WITHDRAWN: "wait",
}


def kyc_badge(told: ClientVerification | None, *, sees_restricted: bool) -> Badge | None:
    """What the verification says; None before anything was told.

    A rejection may be why a client is blocked: without the permission everything but an approval reads alike.
    """
    if told is None:
        return None
    state = KycState(told.state)
    if state is not KycState.APPROVED and not sees_restricted:
        return Badge("neutral", "KYC: not approved")
    day = calendar().today(told.state_at if told.approved_at is None else told.approved_at)
    return Badge(_KYC_ROLES.get(state, "neutral"), f"KYC: {KYC_LABELS[state]} {day.day} {day:%b %Y}")


def severity_badge(severity: int) -> Badge:
    return Badge(_SEVERITY_ROLES.get(Severity(severity), "neutral"), Severity(severity).label)


def mark_badges(kinds: Collection[MarkKind]) -> list[Badge]:
    """One badge for each kind that stands, the heavier first."""
    return [
        Badge("stop" if kind is MarkKind.SANCTIONS else "wait", MARK_LABELS[kind])
        for kind in (MarkKind.SANCTIONS, MarkKind.PEP)
        if kind in kinds
    ]


def in_words(text: str) -> Badge:
    """The badge of a status or a risk that is kept in words (`Blocked: debit`, `active`, `High`)."""
    word = text[:1].upper() + text[1:]
    state = text.partition(":")[0].lower()
    if state in set(Status):
        return Badge(_STATUS_ROLES.get(Status(state), "neutral"), word)
    role = next((role for risk, role in _RISK_ROLES.items() if risk.label == text), "neutral")
    return Badge(role, word)
