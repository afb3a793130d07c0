"""A message is checked when it is made; where it goes is chosen by the settings, once."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from dashboard import notifier
from dashboard.errors import Invalid
from dashboard.notifier import DeliveryFailed, Message, NotifierNotConfigured
from dashboard.notifier.console import ConsoleNotifier
from dashboard.notifier.smtp import SmtpNotifier
from dashboard.settings import Settings, load

GOOD: dict[str, str] = {"to": "jonas@client.example", "subject": "Your code", "text": "It is 482913.\n"}
PRODUCTION = {
    "ENVIRONMENT": "production", "SECRET_KEY": "x" * 32, "SECOND_FACTOR_KEY": "f" * 32, "DATABASE_URL": "postgresql://u@h/d",
}  # fmt: skip


class Remembering:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("to", "", "email"),
        ("to", "jonas", "email"),
        ("to", "jonas@client.example\r\nBcc: eve@evil.example", "email"),
        ("to", "jonas@client.example\n", "email"),
        ("to", "jonas@client.example, eve@evil.example", "email"),
        ("to", "Jonas <jonas@client.example>", "email"),
        ("to", "<jonas@client.example>", "email"),
        ("to", "jonas@client.example\x00", "email"),
        ("to", '"a\r\nRCPT TO:<eve@evil.example>"@client.example', "email"),
        ("to", "jonas@" + "a" * 300 + ".example", "email"),
        ("subject", "", "required"),
        ("subject", "   ", "required"),
        ("subject", "Code\r\nBcc: eve@evil.example", "characters"),
        ("subject", "Code\nBcc: eve@evil.example", "characters"),
        ("subject", "Code\rBcc: eve@evil.example", "characters"),
        ("subject", "Code\x00", "characters"),
        ("subject", "Code\x1b[2J", "characters"),
        ("subject", "Code\x85Bcc: eve@evil.example", "characters"),
        ("subject", "Code\u2028Bcc: eve@evil.example", "characters"),
        ("subject", "Code\ud800", "characters"),
        ("subject", "x" * 201, "tooLong"),
        ("text", "", "required"),
        ("text", " \n", "required"),
        ("text", "a\x00b", "characters"),
        ("text", "a\rb", "characters"),
        ("text", "a\x1b]0;title\x07", "characters"),
        ("text", "x" * 20_001, "tooLong"),
    ],
)
def test_a_message_that_could_become_something_else_is_refused_by_field(name: str, value: str, rule: str) -> None:
    with pytest.raises(Invalid) as caught:
        Message(**{**GOOD, name: value})
    assert [(error.field, error.rule) for error in caught.value.errors] == [(name, rule)]
    if value.strip():
        assert value not in caught.value.errors[0].message


def test_all_wrong_fields_are_told_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        Message(to="nobody", subject="", text="")
    assert [error.field for error in caught.value.errors] == ["to", "subject", "text"]


def test_a_message_does_not_show_itself_in_a_log_line() -> None:
    shown = repr(Message(**GOOD))
    assert "jonas" not in shown and "482913" not in shown


def test_development_shows_messages_in_the_terminal_and_nowhere_else(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = notifier.choose(load({}))
    assert isinstance(chosen, ConsoleNotifier)
    chosen.send(Message("jonas@client.example", "Kodas žalias", "Line one\nLine two\n"))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "jonas@client.example" in shown.err and "Kodas žalias" in shown.err
    assert "  | Line one\n  | Line two\n" in shown.err
    assert '"event"' not in shown.err, "a line of the structured log"


def test_a_terminal_that_is_gone_is_a_failed_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/null", "w") as closed:
        pass
    monkeypatch.setattr(sys, "stderr", closed)
    with pytest.raises(DeliveryFailed) as caught:
        ConsoleNotifier().send(Message(**GOOD))
    assert caught.value.details == {"reason": "unreachable"}


def test_production_without_a_mail_server_refuses_instead_of_showing_codes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(NotifierNotConfigured) as caught:
        notifier.choose(load(PRODUCTION)).send(Message(**GOOD))
    assert (caught.value.status, caught.value.code) == (503, "notifierNotConfigured")
    assert isinstance(caught.value, DeliveryFailed)
    assert "SMTP_URL" in caught.value.message
    shown = capsys.readouterr()
    assert "482913" not in shown.out + shown.err


@pytest.mark.parametrize("environment", [{}, PRODUCTION])
def test_a_mail_server_is_used_wherever_one_is_named(environment: dict[str, str]) -> None:
    mail = {"SMTP_URL": "smtps://bank:secret@mail.bank.example", "MAIL_FROM": "Bank <no-reply@bank.example>"}
    assert isinstance(notifier.choose(load({**environment, **mail})), SmtpNotifier)


def test_the_application_chooses_once_and_another_can_stand_in_for_a_while(
    application: Flask, configured: Settings
) -> None:
    before = notifier.current()
    assert isinstance(before, ConsoleNotifier)
    stand_in = Remembering()
    with pytest.raises(RuntimeError), notifier.instead(stand_in):
        notifier.current().send(Message(**GOOD))
        raise RuntimeError
    assert [message.to for message in stand_in.sent] == ["jonas@client.example"]
    assert notifier.current() is before
    try:
        notifier.install(replace(configured, environment="production"))
        with pytest.raises(NotifierNotConfigured):
            notifier.current().send(Message(**GOOD))
    finally:
        notifier.install(configured)


def test_a_failed_delivery_is_a_clear_answer_for_people_and_machines(app: Flask, http: Any) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> str:
        notifier.choose(load(PRODUCTION)).send(Message(**GOOD))
        return "sent"

    original = app.view_functions["health.healthz"]
    app.view_functions["health.healthz"] = fail
    try:
        answer = http.get("/healthz")
    finally:
        app.view_functions["health.healthz"] = original
    assert answer.status_code == 503
    assert "no mail server" in answer.get_data(as_text=True)
