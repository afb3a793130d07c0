"""Messages reach people through a real mail server on this machine, and a failure says why without naming anybody."""

from __future__ import annotations

import datetime as dt
import email
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dashboard.notifier import DeliveryFailed, Message
from dashboard.notifier import smtp as smtp_module
from dashboard.notifier.smtp import SmtpNotifier
from dashboard.settings import MailSecurity, MailServer

SENDER = "Sąskaitų namai <no-reply@bank.example>"
HELLO = Message("jonas@client.example", "Your code: žalia Привет €", "Sveiki, Žydrūne!\n\nКод: 482913\n.\n..dots\n")
PASSWORD = "p@ss/word:"


@dataclass
class Mailbox:
    """What the server took, and how it behaves."""

    mails: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    signed_in: list[bool] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    rcpt_answer: str | None = None
    data_answer: str = "250 OK"

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _o: Any) -> str:
        if self.rcpt_answer:
            return self.rcpt_answer.format(address=address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data_answer.startswith("250"):
            assert envelope.content is not None
            content = envelope.content
            self.mails.append(
                email.message_from_bytes(
                    content if isinstance(content, bytes) else content.encode(),
                    _class=EmailMessage,
                    policy=default,  # type: ignore[arg-type]
                )
            )
            self.encrypted.append(session.ssl is not None)
            self.signed_in.append(bool(session.authenticated))
            self.recipients.append(envelope.rcpt_tos)
        return self.data_answer


@contextmanager
def mail_server(mailbox: Mailbox, **options: Any) -> Iterator[int]:
    """A real mail server on a free port of this machine; gives the port."""
    controller = Controller(mailbox, hostname="127.0.0.1", port=_free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def through(port: int, security: MailSecurity = MailSecurity.STARTTLS_IF_OFFERED, **options: Any) -> SmtpNotifier:
    """The notifier under test."""
    user, password = options.pop("user", None), options.pop("password", None)
    return SmtpNotifier(MailServer("127.0.0.1", port, security, user, password), sender=SENDER, **options)


def reason_of(notifier: SmtpNotifier, message: Message = HELLO) -> str:
    """Send, expect a failure, and give its reason; whatever fails, nobody is named."""
    with pytest.raises(DeliveryFailed) as caught:
        notifier.send(message)
    failure = caught.value
    assert (failure.status, failure.code) == (503, "deliveryFailed")
    assert "jonas" not in f"{failure.message}{failure.details}"
    assert failure.__context__ is None, "what the server said travels along"
    assert failure.message.startswith("The message could not be sent: ")
    return str(failure.details["reason"])


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that the log was given."""
    lines: list[str] = []

    class Log:
        def warning(self, event: str, **facts: Any) -> None:
            lines.append(f"{event} {facts}")

    monkeypatch.setattr(smtp_module, "log", Log())
    return lines


@dataclass(frozen=True)
class Certificates:
    """A certificate for 127.0.0.1: how the server shows it and how a client comes to trust it."""

    server: ssl.SSLContext
    trusting: ssl.SSLContext


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder: Path = tmp_path_factory.mktemp("certificates")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return Certificates(server, ssl.create_default_context(cafile=str(folder / "certificate.pem")))


def _sign_in(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=data.password == PASSWORD.encode() and data.login == b"bank@relay", handled=False)


# --- what arrives ----------------------------------------------------------------------------------------------------


def test_a_message_arrives_whole_with_its_letters() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        through(port).send(HELLO)
    (mail,) = mailbox.mails
    assert mail["To"] == "jonas@client.example"
    assert mailbox.recipients == [["jonas@client.example"]]
    assert mail["From"].addresses[0].display_name == "Sąskaitų namai"
    assert mail["From"].addresses[0].addr_spec == "no-reply@bank.example"
    assert mail["Subject"] == HELLO.subject
    assert mail.get_content().replace("\r\n", "\n") == HELLO.text
    assert mail["Message-ID"].endswith("@bank.example>")
    assert mail["Auto-Submitted"] == "auto-generated"
    sent = mail["Date"].datetime
    assert abs((dt.datetime.now(dt.UTC) - sent).total_seconds()) < 60


def test_a_long_subject_and_long_lines_arrive_whole() -> None:
    message = Message("jonas@client.example", "Ilgas žodis " * 16, "ž" * 5000 + "\n" + "a" * 5000 + "\n")
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        through(port).send(message)
    (mail,) = mailbox.mails
    assert mail["Subject"].strip() == message.subject.strip()
    assert mail.get_content().replace("\r\n", "\n") == message.text


def test_an_international_domain_is_addressed_in_its_ascii_form() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        through(port).send(Message("jonas@žalia.example", "Code", "1\n"))
    assert mailbox.recipients == [["jonas@xn--alia-kbb.example"]]


def test_a_mailbox_name_beyond_ascii_needs_a_server_that_takes_it() -> None:
    message = Message("žydrūnė@client.example", "Code", "1\n")
    mailbox = Mailbox()
    with mail_server(mailbox, enable_SMTPUTF8=True) as port:
        through(port).send(message)
    assert mailbox.recipients == [["žydrūnė@client.example"]]
    assert mailbox.mails[0]["To"] == "žydrūnė@client.example"
    with mail_server(mailbox, enable_SMTPUTF8=False) as port:
        assert reason_of(through(port), message) == "recipientRefused"


# --- encryption and signing in ----------------------------------------------------------------------------------------


def test_the_connection_is_encrypted_when_the_server_offers_it(certificates: Certificates) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox, tls_context=certificates.server) as port:
        through(port, tls=certificates.trusting).send(HELLO)
    assert mailbox.encrypted == [True]


def test_a_server_that_does_not_offer_required_encryption_gets_no_message() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        assert reason_of(through(port, MailSecurity.STARTTLS)) == "encryption"
    assert mailbox.mails == []


@pytest.mark.parametrize("security", list(MailSecurity))
def test_a_certificate_that_nobody_vouches_for_is_refused(certificates: Certificates, security: MailSecurity) -> None:
    mailbox = Mailbox()
    kind = "ssl_context" if security is MailSecurity.TLS else "tls_context"
    with ExitStack() as stack:
        # the waiting check of the controller knows the certificate as little as anybody
        options: dict[str, Any] = {kind: certificates.server}
        port = stack.enter_context(mail_server(mailbox, **options))
        assert reason_of(through(port, security)) == "encryption"
    assert mailbox.mails == []


def test_smtps_encrypts_from_the_first_byte(certificates: Certificates) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox, ssl_context=certificates.server) as port:
        through(port, MailSecurity.TLS, tls=certificates.trusting).send(HELLO)
    assert len(mailbox.mails) == 1


@contextmanager
def guarded_server(mailbox: Mailbox, certificates: Certificates) -> Iterator[int]:
    """A server that takes mail only from whom it knows, and passwords only when encrypted."""
    with mail_server(
        mailbox, tls_context=certificates.server, require_starttls=True, auth_required=True, authenticator=_sign_in
    ) as port:
        yield port


def test_the_server_is_told_user_and_password(certificates: Certificates) -> None:
    mailbox = Mailbox()
    with guarded_server(mailbox, certificates) as port:
        through(port, MailSecurity.STARTTLS, user="bank@relay", password=PASSWORD, tls=certificates.trusting).send(
            HELLO
        )
    assert mailbox.signed_in == [True]


def test_a_wrong_password_is_told_without_showing_it(certificates: Certificates, logged: list[str]) -> None:
    mailbox = Mailbox()
    with guarded_server(mailbox, certificates) as port:
        notifier = through(port, user="bank@relay", password="wrong-secret", tls=certificates.trusting)
        assert reason_of(notifier) == "authentication"
    (line,) = logged
    assert "authentication" in line and "535" in line
    assert "wrong-secret" not in line + repr(notifier._server)
    assert mailbox.mails == []


def test_a_server_that_knows_no_sign_in_is_told_as_such() -> None:
    with mail_server(Mailbox()) as port:
        assert reason_of(through(port, user="bank@relay", password=PASSWORD)) == "authentication"


def test_a_password_never_crosses_a_network_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bytes] = []

    def remember(*_args: Any) -> AuthResult:
        tried.append(b"password")
        return AuthResult(success=True)

    mailbox = Mailbox()
    with mail_server(mailbox, authenticator=remember, auth_require_tls=False) as port:
        notifier = through(port, user="bank@relay", password=PASSWORD)
        notifier.send(HELLO)
        assert tried == [b"password"], "on this machine there is no network between"
        monkeypatch.setattr(smtp_module, "_is_this_machine", lambda _connection: False)
        assert reason_of(notifier) == "encryption"
    assert tried == [b"password"]
    assert len(mailbox.mails) == 1


# --- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("550 5.1.1 <{address}>: no such mailbox", "recipientRefused"),
        ("450 4.2.1 <{address}>: come back later", "recipientDeferred"),
    ],
)
def test_a_refused_recipient_is_told_without_the_address(answer: str, reason: str, logged: list[str]) -> None:
    mailbox = Mailbox(rcpt_answer=answer)
    with mail_server(mailbox) as port:
        assert reason_of(through(port)) == reason
    (line,) = logged
    assert reason in line and answer[:3] in line, "the operator reads why"
    assert "jonas" not in line
    assert mailbox.mails == []


def test_a_message_that_the_server_does_not_take_is_told() -> None:
    with mail_server(Mailbox(data_answer="554 5.7.1 looks like spam to jonas")) as port:
        assert reason_of(through(port)) == "refused"


def test_a_server_that_is_down_is_told() -> None:
    assert reason_of(through(_free_port())) == "unreachable"


def test_a_server_name_that_does_not_exist_is_told() -> None:
    server = MailServer("mail.nowhere.invalid", 25, MailSecurity.STARTTLS_IF_OFFERED)
    assert reason_of(SmtpNotifier(server, sender=SENDER)) == "unreachable"


@contextmanager
def talking(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that says what `talk` says to one caller, then stays silent until the test has ended."""
    done = threading.Event()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            caller, _ = listener.accept()
            with caller:
                try:
                    talk(caller)
                except OSError:
                    return
                done.wait(30)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            done.set()
            thread.join(5)


def test_a_server_that_hangs_is_left_after_its_time() -> None:
    with talking(lambda _caller: None) as port:
        assert reason_of(through(port, step_seconds=0.2)) == "timeout"


def test_a_server_that_hangs_in_the_middle_is_left_after_its_time() -> None:
    def greet_and_sleep(caller: socket.socket) -> None:
        caller.sendall(b"220 mail.example ready\r\n")
        caller.recv(1000)
        caller.sendall(b"250 mail.example\r\n")

    with talking(greet_and_sleep) as port:
        assert reason_of(through(port, step_seconds=0.2)) == "timeout"


def test_a_server_that_is_slow_at_every_step_is_left_when_the_whole_time_is_over() -> None:
    answers = 0
    enough = threading.Event()

    def drag(caller: socket.socket) -> None:
        nonlocal answers
        caller.sendall(b"220 mail.example ready\r\n")
        while caller.recv(1000):
            enough.wait(0.25)
            caller.sendall(b"250 go on\r\n")
            answers += 1

    with talking(drag) as port:
        assert reason_of(through(port, step_seconds=5, whole_seconds=0.6)) == "timeout"
    assert 1 <= answers <= 4


def test_one_step_gets_no_more_time_than_the_whole_has_left() -> None:
    # a step of an hour would last until the server hangs up, which is told as unreachable
    with talking(lambda caller: caller.sendall(b"220 mail.example ready\r\n")) as port:
        assert reason_of(through(port, step_seconds=3600, whole_seconds=0.5)) == "timeout"


def test_a_server_that_speaks_something_else_is_told() -> None:
    with talking(lambda caller: caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert reason_of(through(port, step_seconds=0.5)) == "refused"


def test_a_message_that_was_taken_is_not_told_as_failed_when_the_goodbye_hangs() -> None:
    said: list[bytes] = []

    def take(caller: socket.socket) -> None:
        caller.sendall(b"220 mail.example ready\r\n")
        with caller.makefile("rb") as lines:
            for line in lines:
                said.append(line)
                if line.upper().startswith(b"DATA"):
                    caller.sendall(b"354 go ahead\r\n")
                elif line == b".\r\n":
                    caller.sendall(b"250 taken\r\n")
                elif re.match(rb"(?i)(ehlo|mail|rcpt)", line):
                    caller.sendall(b"250 fine\r\n")
                elif line.upper().startswith(b"QUIT"):
                    return

    with talking(take) as port:
        through(port, step_seconds=0.3).send(HELLO)
    assert any(line.upper().startswith(b"QUIT") for line in said)
