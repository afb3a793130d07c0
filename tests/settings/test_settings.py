"""A wrong setting stops the start with one clear line."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bench.server import production
from dashboard.settings import DEMO_WEBHOOK_SECRET, MailSecurity, MailServer, SettingsError, load

GOOD = {
    "SECRET_KEY": "x" * 32, "SECOND_FACTOR_KEY": "f" * 32, "DATABASE_URL": "postgresql://u@h/d",
    "ENVIRONMENT": "production",
}  # fmt: skip


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"PORT": "eighty"}, "PORT"),
        ({"PORT": "70000"}, "PORT"),
        ({"ENVIRONMENT": "staging"}, "ENVIRONMENT"),
        ({"DEMO": "maybe"}, "DEMO"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL"),
        ({"INSTITUTION_ZONE": "Mars/Base"}, "INSTITUTION_ZONE"),
        ({"INSTITUTION_COUNTRY": "Lithuania"}, "INSTITUTION_COUNTRY"),
        ({"ENVIRONMENT": "production", "DATABASE_URL": "postgresql://u@h/d"}, "SECRET_KEY"),
        ({"ENVIRONMENT": "production", "SECRET_KEY": "short", "DATABASE_URL": "postgresql://u@h/d"}, "SECRET_KEY"),
        ({"ENVIRONMENT": "production", "SECRET_KEY": "x" * 32}, "DATABASE_URL"),
        ({**GOOD, "SECOND_FACTOR_KEY": ""}, "SECOND_FACTOR_KEY with at least 32 characters is required"),
        ({**GOOD, "SECOND_FACTOR_KEY": "f" * 32 + ",short"}, "SECOND_FACTOR_KEY"),
        ({**GOOD, "SECOND_FACTOR_KEY": "x" * 32}, "SECOND_FACTOR_KEY"),
        ({"EXPORT_XLSX_ROWS": "0"}, "EXPORT_XLSX_ROWS"),
        ({"EXPORT_XLSX_ROWS": "2000000"}, "EXPORT_XLSX_ROWS"),
        ({"DOCUMENT_MEGABYTES": "51"}, "DOCUMENT_MEGABYTES"),
        ({"DOCUMENT_REMINDER_DAYS": "0"}, "DOCUMENT_REMINDER_DAYS"),
        ({"SMTP_URL": "smtps://mail.bank.example"}, "MAIL_FROM"),
        ({"SUMSUB_APP_TOKEN": "sbx:t"}, "SUMSUB_SECRET_KEY"),
        ({"SUMSUB_SECRET_KEY": "k"}, "SUMSUB_APP_TOKEN"),
        ({"SUMSUB_APP_TOKEN": "sbx:t", "SUMSUB_SECRET_KEY": "k k"}, "SUMSUB_SECRET_KEY"),
        ({**GOOD, "SUMSUB_APP_TOKEN": "sbx:t", "SUMSUB_SECRET_KEY": "k"}, "SUMSUB_APP_TOKEN"),
        ({"SUMSUB_BASE_URL": "http://api.example"}, "SUMSUB_BASE_URL"),
        ({**GOOD, "SUMSUB_BASE_URL": "http://localhost:1"}, "SUMSUB_BASE_URL"),
        ({"SUMSUB_BASE_URL": "https://user:p@api.example"}, "SUMSUB_BASE_URL"),
        ({"SUMSUB_BASE_URL": "https://api.example/path"}, "SUMSUB_BASE_URL"),
        ({"SUMSUB_BASE_URL": "https://api.example:x"}, "SUMSUB_BASE_URL"),
        ({"SUMSUB_BASE_URL": "ftp://api.example"}, "SUMSUB_BASE_URL"),
        ({"SUMSUB_REQUESTS_PER_SECOND": "0"}, "SUMSUB_REQUESTS_PER_SECOND"),
        ({"SUMSUB_CONFIRM_APPROVALS": "perhaps"}, "SUMSUB_CONFIRM_APPROVALS"),
        ({"SUMSUB_SILENT_MINUTES": "1"}, "SUMSUB_SILENT_MINUTES"),
        ({"PUBLIC_URL": "office.bank.example"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://office.bank.example/path"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://user@office.bank.example"}, "PUBLIC_URL"),
        ({**GOOD, "PUBLIC_URL": "http://office.bank.example"}, "PUBLIC_URL"),
        ({"MAIL_FROM": "Bank"}, "MAIL_FROM"),
        ({"MAIL_FROM": "no-reply@localhost"}, "MAIL_FROM"),
        ({"MAIL_FROM": "a@bank.example, b@bank.example"}, "MAIL_FROM"),
        ({"MAIL_FROM": "Bank <a@bank.example>\r\nBcc: eve@evil.example"}, "MAIL_FROM"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(env: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(env)
    assert named in caught.value.message
    assert "\n" not in caught.value.message


def test_production_never_loads_demo_data_and_sends_cookies_over_https_only() -> None:
    settings = load({**GOOD, "DEMO": "1"})
    assert settings.demo is False
    assert settings.secure_cookies is True


def test_a_database_url_is_taken_in_the_usual_spellings() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        assert load({"DATABASE_URL": f"{scheme}://u@h/d"}).database_url == "postgresql+psycopg://u@h/d"


def test_the_secret_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    settings = replace(load({}), instance_path=tmp_path)
    first = settings.signing_key()
    assert len(first) >= 32
    assert settings.signing_key() == first
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


SENDER = "Bank <no-reply@bank.example>"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://relay", MailServer("relay", 25, MailSecurity.STARTTLS_IF_OFFERED)),
        ("smtp+starttls://relay", MailServer("relay", 587, MailSecurity.STARTTLS)),
        ("smtps://relay", MailServer("relay", 465, MailSecurity.TLS)),
        ("smtps://u:s@relay:2465/", MailServer("relay", 2465, MailSecurity.TLS, "u", "s")),
        ("smtps://u%40bank:p%2Fa%3A%40@[::1]:25", MailServer("::1", 25, MailSecurity.TLS, "u@bank", "p/a:@")),
    ],
)
def test_the_mail_server_is_read_from_one_url(url: str, server: MailServer) -> None:
    settings = load({"SMTP_URL": url, "MAIL_FROM": SENDER})
    assert settings.mail_server == server
    assert settings.mail_from == SENDER


@pytest.mark.parametrize(
    "url",
    [
        "relay",
        "http://user:hidden-word@relay",
        "smtps://user:hidden-word@",
        "smtps://user:hidden-word@relay:0",
        "smtps://user:hidden-word@relay:70000",
        "smtps://user:hidden-word/rest@relay",
        "smtps://user:hidden-word#rest@relay",
        "smtps://user:hidden-word@relay/path",
        "smtps://user:hidden-word@relay?timeout=5",
        "smtps://:hidden-word@relay",
        "smtps://user@relay",
        "smtps://user:hidden-wörd@relay",
        "smtps://user:hidden-w%C3%B6rd@relay",
        "smtps://user:hidden-word@re lay",
    ],
)
def test_a_wrong_mail_server_is_told_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"SMTP_URL": url, "MAIL_FROM": SENDER})
    assert caught.value.message.startswith("SMTP_URL")
    assert "hidden" not in caught.value.message and "\n" not in caught.value.message


def test_the_password_of_the_mail_server_does_not_show_itself() -> None:
    settings = load({"SMTP_URL": "smtps://user:hidden-word@relay", "MAIL_FROM": SENDER})
    assert settings.mail_server is not None and settings.mail_server.password == "hidden-word"
    assert "hidden" not in repr(settings)


def test_credentials_of_sumsub_are_used_and_never_shown() -> None:
    settings = load(
        {"SUMSUB_APP_TOKEN": "sbx:to-ken", "SUMSUB_SECRET_KEY": "se-cret", "SUMSUB_BASE_URL": "http://127.0.0.1:7"}
    )
    assert settings.sumsub_access is not None
    assert (settings.sumsub_access.app_token, settings.sumsub_access.secret_key) == ("sbx:to-ken", "se-cret")
    assert settings.sumsub_access.base_url == "http://127.0.0.1:7"
    assert "to-ken" not in repr(settings) and "se-cret" not in repr(settings)
    assert load({}).sumsub_access is None
    for env in ({"SUMSUB_APP_TOKEN": "to-ken"}, {"SUMSUB_APP_TOKEN": "to-ken", "SUMSUB_SECRET_KEY": "ż"}):
        with pytest.raises(SettingsError) as caught:
            load(env)
        assert "to-ken" not in caught.value.message


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"REVIEW_MONTHS_HIGH": "13"}, "REVIEW_MONTHS_HIGH"), ({"REVIEW_MONTHS_LOW": "61"}, "REVIEW_MONTHS_LOW"),
        ({"REVIEW_MONTHS_MEDIUM": "0"}, "REVIEW_MONTHS_MEDIUM"),
        ({"REVIEW_ESCALATE_DAYS": "20"}, "REVIEW_RESTRICT_DAYS (20) must be more than REVIEW_ESCALATE_DAYS (20)"),
    ],
)  # fmt: skip
def test_periods_of_reviews_are_never_longer_than_the_law(wrong: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(wrong)
    assert caught.value.message.startswith(words)


def test_webhook_secrets_may_be_several_and_the_demo_one_is_for_development_alone() -> None:
    assert load({}).sumsub_webhook_secrets == (DEMO_WEBHOOK_SECRET,)
    assert load({"SUMSUB_WEBHOOK_SECRET": " new , old,new,"}).sumsub_webhook_secrets == ("new", "old")
    production = GOOD
    assert load(production).sumsub_webhook_secrets == ()
    with pytest.raises(SettingsError, match="SUMSUB_WEBHOOK_SECRET"):
        load({**production, "SUMSUB_WEBHOOK_SECRET": f"own,{DEMO_WEBHOOK_SECRET}"})
    with pytest.raises(SettingsError, match="SUMSUB_DIGEST_ALGORITHM"):
        load({"SUMSUB_DIGEST_ALGORITHM": "HMAC_MD5_HEX"})
    assert load({"SUMSUB_WORKFLOW_LEVELS": "a, b"}).sumsub_workflow_levels == frozenset({"a", "b"})


def test_the_address_of_the_house_has_no_slash_at_its_end() -> None:
    assert load({"PUBLIC_URL": "https://office.bank.example/"}).public_url == "https://office.bank.example"
    assert load({}).public_url is None


def test_what_the_benchmarks_serve_the_product_with_is_enough_for_production(tmp_path: Path) -> None:
    given = replace(
        load({"SECRET_KEY": "x" * 32}), instance_path=tmp_path, database_url="postgresql+psycopg://u@h/d",
        migration_database_url="postgresql+psycopg://o@h/d",
    )  # fmt: skip
    assert load(production(given)).environment == "production"
