"""Delivery by a mail server (SMTP). One connection per message, bounded in time, certificates verified."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, make_msgid, parseaddr
from functools import cached_property
from ipaddress import ip_address
from typing import Any

import structlog

from dashboard import clock
from dashboard.notifier.message import Message, mailbox
from dashboard.notifier.port import DeliveryFailed
from dashboard.settings import MailSecurity, MailServer

STEP_SECONDS = 5.0
"""How long the server may take to connect, or for one answer."""
WHOLE_SECONDS = 10.0
"""How long the delivery of one message may take; somebody waits for it."""

log = structlog.get_logger("countinghouse")

#: reason to what the caller reads; never what the server said, because servers repeat the address
_SENTENCES = {
    "unreachable": "the mail server cannot be reached. Try again in a few minutes.",
    "timeout": "the mail server did not answer in time. Try again in a few minutes.",
    "recipientRefused": "the mail server does not take mail for this address. Check the address.",
    "recipientDeferred": "the mail server does not take mail for this address at the moment. Try again later.",
    "encryption": "no safe connection to the mail server. An administrator must look at it.",
    "authentication": "the mail server refuses our sign-in. An administrator must look at it.",
    "refused": "the mail server refuses the message. Try again later, or tell an administrator.",
}


class _Broken(Exception):
    """Ends a delivery for a reason that smtplib has no exception for."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Bounded(smtplib.SMTP):
    """A conversation with a deadline: each step gets what is left of the whole, at most its own share."""

    def __init__(self, *, step_seconds: float, whole_seconds: float, **options: Any) -> None:
        self._step = step_seconds
        self._deadline = time.monotonic() + whole_seconds
        super().__init__(timeout=min(step_seconds, whole_seconds), **options)

    def _allow_time(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self.sock is not None:
            self.sock.settimeout(min(self._step, left))

    def send(self, s: Any) -> None:
        self._allow_time()
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        self._allow_time()
        return super().getreply()


class _BoundedTLS(_Bounded, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


class SmtpNotifier:
    """Sends through one mail server.

    `sender` is an address, or a name and an address: `Bank <no-reply@bank.example>`. `tls` replaces the system's
    trusted certificates.
    """

    def __init__(
        self,
        server: MailServer,
        *,
        sender: str,
        tls: ssl.SSLContext | None = None,
        step_seconds: float = STEP_SECONDS,
        whole_seconds: float = WHOLE_SECONDS,
    ) -> None:
        self._server = server
        self._sender = sender
        self._sender_domain = parseaddr(sender)[1].rpartition("@")[2]
        self._given_tls = tls
        self._limits = {"step_seconds": step_seconds, "whole_seconds": whole_seconds}

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._given_tls or ssl.create_default_context()

    def send(self, message: Message) -> None:
        """Deliver to the mail server. Raises DeliveryFailed."""
        answer: int | None = None
        try:
            self._deliver(self._composed(message), mailbox(message.to))
            return
        except _Broken as error:
            reason = error.reason
        except smtplib.SMTPRecipientsRefused as error:
            answer = next(iter(error.recipients.values()))[0]
            reason = "recipientDeferred" if 400 <= answer < 500 else "recipientRefused"
        except smtplib.SMTPAuthenticationError as error:
            answer, reason = error.smtp_code, "authentication"
        except smtplib.SMTPNotSupportedError:
            # a mailbox name beyond ASCII, and a server that knows only ASCII
            reason = "recipientRefused"
        except smtplib.SMTPResponseException as error:
            answer, reason = error.smtp_code, "refused"
        except ssl.SSLError:
            reason = "encryption"
        except TimeoutError:
            reason = "timeout"
        except (OSError, smtplib.SMTPException) as error:
            # smtplib tells a timeout while reading as a lost connection
            reason = "timeout" if isinstance(error.__context__, TimeoutError) else "unreachable"
        log.warning("delivery failed", reason=reason, server=f"{self._server.host}:{self._server.port}", answer=answer)
        # outside the handlers: what the server said, the address in it, must not travel along
        raise DeliveryFailed(f"The message could not be sent: {_SENTENCES[reason]}", details={"reason": reason})

    def _composed(self, message: Message) -> EmailMessage:
        mail = EmailMessage(policy=SMTP_POLICY)
        mail["From"] = self._sender
        mail["To"] = mailbox(message.to)
        mail["Subject"] = message.subject
        mail["Date"] = format_datetime(clock.now())
        mail["Message-ID"] = make_msgid(domain=self._sender_domain)
        # RFC 3834: no out-of-office answers
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        return mail

    def _deliver(self, mail: EmailMessage, recipient: str) -> None:
        connection = self._connection()
        try:
            self._secure(connection)
            connection.send_message(mail, to_addrs=[recipient])
            # the message is taken over: whatever happens now, it must not be told as failed
            with suppress(OSError, smtplib.SMTPException):
                connection.quit()
        finally:
            connection.close()

    def _connection(self) -> _Bounded:
        server = self._server
        name = socket.gethostname()
        # the default asks the name service for our own name, which may take long
        greeting = name if "." in name else self._sender_domain
        where: dict[str, Any] = {"host": server.host, "port": server.port, "local_hostname": greeting}
        if server.security is MailSecurity.TLS:
            return _BoundedTLS(context=self._tls, **where, **self._limits)
        return _Bounded(**where, **self._limits)

    def _secure(self, connection: _Bounded) -> None:
        """Encrypt as the settings say, then sign in; a password never crosses a network in the clear."""
        connection.ehlo_or_helo_if_needed()
        encrypted = self._server.security is MailSecurity.TLS
        if not encrypted:
            if connection.has_extn("starttls"):
                try:
                    connection.starttls(context=self._tls)
                except smtplib.SMTPResponseException:
                    raise _Broken("encryption") from None
                encrypted = True
            elif self._server.security is MailSecurity.STARTTLS:
                raise _Broken("encryption")
        if self._server.user is None or self._server.password is None:
            return
        if not encrypted and not _is_this_machine(connection):
            raise _Broken("encryption")
        try:
            connection.login(self._server.user, self._server.password)
        except smtplib.SMTPNotSupportedError:
            raise _Broken("authentication") from None


def _is_this_machine(connection: smtplib.SMTP) -> bool:
    return connection.sock is not None and ip_address(connection.sock.getpeername()[0]).is_loopback
