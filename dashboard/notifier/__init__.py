"""How clients get messages: one-time passwords and confirmation codes. A port with two ways out, chosen once.

With SMTP_URL a mail server delivers. Without it, development prints each message to the terminal and production
refuses. Send after the transaction has ended: a mail server may take seconds, and locks would wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dashboard.notifier.console import ConsoleNotifier
from dashboard.notifier.message import Message
from dashboard.notifier.port import DeliveryFailed, Notifier, NotifierNotConfigured, NowhereNotifier
from dashboard.settings import Settings

__all__ = ["DeliveryFailed", "Message", "Notifier", "NotifierNotConfigured", "current", "install", "instead"]

_chosen: list[Notifier] = []


def choose(settings: Settings) -> Notifier:
    """The notifier that these settings ask for."""
    if settings.mail_server is not None:
        from dashboard.notifier.smtp import SmtpNotifier

        return SmtpNotifier(settings.mail_server, sender=settings.mail_from)
    return NowhereNotifier() if settings.production else ConsoleNotifier()


def install(settings: Settings) -> None:
    """Choose for this process. Called by the application factory."""
    _chosen[:] = [choose(settings)]


def current() -> Notifier:
    """The notifier of this process. Raises IndexError before `install`: a programming error."""
    return _chosen[0]


@contextmanager
def instead(notifier: Notifier) -> Iterator[None]:
    """Another notifier for a while, in all threads: for tests and for commands that must not reach anybody."""
    before = list(_chosen)
    _chosen[:] = [notifier]
    try:
        yield
    finally:
        _chosen[:] = before
