"""What every way of delivery offers, and the ways in which it may fail."""

from __future__ import annotations

from typing import Protocol

from dashboard.errors import DomainError
from dashboard.notifier.message import Message


class DeliveryFailed(DomainError):
    """The message did not go out, or nobody can say that it did. `details["reason"]` is stable, for machines.

    Neither the sentence nor the details name the addressee: both reach logs.
    """

    status = 503
    code = "deliveryFailed"


class NotifierNotConfigured(DeliveryFailed):
    """This installation has no way to send messages."""

    code = "notifierNotConfigured"


class Notifier(Protocol):
    """A way by which messages leave the house."""

    def send(self, message: Message) -> None:
        """Hand the message over. Raises DeliveryFailed; a message told as failed may still arrive (a lost answer)."""
        ...


class NowhereNotifier:
    """Production without a mail server: refuses, because a code that nobody gets must not look sent."""

    def send(self, message: Message) -> None:
        """Raises NotifierNotConfigured."""
        raise NotifierNotConfigured(
            "Messages cannot be sent: this installation has no mail server. An administrator sets SMTP_URL.",
            details={"reason": "notConfigured"},
        )
