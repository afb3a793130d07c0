"""Typed settings from the environment. A wrong one stops the start with one clear line.

| variable | default | meaning |
|---|---|---|
| ENVIRONMENT | development | development or production |
| INSTANCE_PATH | ./instance | data directory: embedded database, secret key, files |
| DATABASE_URL | (embedded) | PostgreSQL 15 or newer, the role the application runs as |
| MIGRATION_DATABASE_URL | DATABASE_URL | the role that owns the tables and migrates |
| SECRET_KEY | a file in INSTANCE_PATH | signs sessions and cursors; production: at least 32 characters |
| PORT, HOST | 8000, 127.0.0.1 | where `make run` serves |
| DEMO | 1 | load demo data into an empty database |
| WEB_WORKERS, WEB_THREADS | 2, 8 | processes, and request threads in each |
| SECURE_COOKIES | 1 in production | send cookies over HTTPS only |
| PUBLIC_URL | (none) | where people reach the house, `https://office.bank.example`: links in e-mails begin with it |
| PROXIES | 0 | how many trusted reverse proxies stand in front |
| INSTITUTION_NAME | Countinghouse Demo | shown in the frame |
| INSTITUTION_COUNTRY | LT | whose public holidays count |
| INSTITUTION_ZONE | Europe/Vilnius | zone of shown times and of business hours |
| IBAN_COUNTRY, IBAN_BANK_CODE | LT, 99999 | country and bank code of the account numbers that the house gives out |
| SECOND_FACTOR_KEY | derived in development | encrypts secrets of second factors; several by commas while rotating |
| SECOND_FACTOR_ROLES | (none) | roles, by commas, that sign in with a second factor: admin,senior-officer |
| SESSION_IDLE_MINUTES, SESSION_HOURS | 30, 12 | idle and absolute end of a staff session |
| APPROVAL_BUSINESS_HOURS | 12 | business hours until a request for approval expires, unless a rule says otherwise |
| RESOLVE_BUSINESS_DAYS | 10 | business days until unrecognized money must be settled |
| RETENTION_YEARS | 5 | years from the end of a relationship until personal data may go; 5 to 10 |
| TRANSFER_CONFIRMATION_MINUTES | 15 | how long an outgoing transfer waits for its confirmation code |
| TRANSFER_DUPLICATE_MINUTES | 10 | the same transfer made again within this time goes to review |
| SMTP_URL | (none) | mail server for messages to clients, see docs/operations.md |
| MAIL_FROM | (none) | sender of these messages, `Bank <no-reply@bank.example>`; required with SMTP_URL |
| FX_QUOTE_SECONDS | 60 | how long a quote of an exchange stands |
| FX_RATE_BUSINESS_DAYS | 3 | business days after which a reference rate is too old to exchange by |
| SANDBOX_PORT | PORT + 1 | where the simulator of a provider listens, on this machine |
| SANDBOX_SECRET | (demo value, development only) | signs callbacks of the sandbox; without it they are refused |
| SUMSUB_APP_TOKEN, SUMSUB_SECRET_KEY | (none) | sign requests to Sumsub's API; without them nothing is asked |
| SUMSUB_BASE_URL | https://api.sumsub.com | where its API answers |
| SUMSUB_REQUESTS_PER_SECOND | 10 | most requests a second to its API, of each process |
| SUMSUB_CONFIRM_APPROVALS | 1 | an approval by webhook opens a client when the API agrees; without it at once |
| SUMSUB_SILENT_MINUTES | 90 | an applicant in review is asked about after so long without news |
| PROVIDER_ASK_MINUTES | 30 | minutes without news after which a provider is asked about a transfer |
| SUMSUB_WEBHOOK_SECRET | (demo value, development only) | signs webhooks; several by commas while rotating |
| SUMSUB_DIGEST_ALGORITHM | HMAC_SHA256_HEX | the only algorithm that is taken (or HMAC_SHA512_HEX, HMAC_SHA1_HEX) |
| SUMSUB_WORKFLOW_LEVELS | (none) | levels, by commas, that are steps of a workflow: they alone approve nobody |
| SUMSUB_APPROVING_LEVELS | (every level) | levels, by commas, whose approval may open a client |
| DOCUMENT_MEGABYTES | 10 | size of the largest document that may be uploaded |
| DOCUMENT_REMINDER_DAYS | 30 | days before a document expires on which somebody is reminded of it |
| REVIEW_MONTHS_LOW, _MEDIUM, _HIGH | 60, 24, 12 | months until a client is reviewed again; at most 60, 60, 12 |
| REVIEW_LEAD_DAYS | 30 | days before its date that a review enters the queue |
| REVIEW_DAILY | 1000 | reviews that the daily job puts into the queue, the most urgent first |
| REVIEW_ESCALATE_DAYS | 5 | business days after which a late review is raised to senior officers |
| REVIEW_RESTRICT_DAYS | 20 | business days after which a late review stops the client's debits |
| END_OF_DAY_AT | 00:10 | when the clock ends the business day: before 12:00 that of the date before; off: people do |
| CHECK_AGE_BUSINESS_DAYS | 1 | business days after which a submitted transfer or a request for approval is too old |
| CHECK_EVENT_MINUTES | 15 | minutes after which a notification that was not processed is too old |
| AUDIT_SEAL_MINUTES | 15 | minutes that an event of the audit may wait for its seal before home and the checks say so |
| METRICS_TOKEN | (none) | opens `/metrics` for Prometheus, at least 16 characters; without it there is no such page |
| TOKEN_REQUESTS_A_MINUTE | 60000 | most requests of one token in a minute, of each web process |
| EXPORT_XLSX_AT_ONCE | 5000 | rows of the largest XLSX that a person gets at once; others are made in the background |
| EXPORT_XLSX_ROWS | 100000 | rows of the largest XLSX for a machine, which gets it at once; CSV has no limit |
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: signs callbacks of the simulator where nothing else is set; known to everybody, so never in production
DEMO_SANDBOX_SECRET = "sandbox-demo-secret"  # noqa: S105

#: signs webhooks where nothing else is set; known to everybody, so never in production
DEMO_WEBHOOK_SECRET = "demo-webhook-secret"  # noqa: S105
DIGEST_ALGORITHMS = ("HMAC_SHA256_HEX", "HMAC_SHA512_HEX", "HMAC_SHA1_HEX")

ROOT = Path(__file__).resolve().parent.parent


class SettingsError(SystemExit):
    """A setting is wrong; its message is the one line shown before the process ends with status 2."""

    def __init__(self, message: str) -> None:
        super().__init__(f"countinghouse: {message}")
        self.message = message


class MailSecurity(StrEnum):
    """How the connection to the mail server is protected; the scheme of SMTP_URL."""

    STARTTLS_IF_OFFERED = "smtp"
    STARTTLS = "smtp+starttls"
    TLS = "smtps"


@dataclass(frozen=True)
class MailServer:
    """Where messages to clients are handed over. Without a user nobody signs in."""

    host: str
    port: int
    security: MailSecurity
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SumsubAccess:
    """How Sumsub's API is reached. Neither token nor key is ever shown, not even in a traceback."""

    base_url: str
    app_token: str = field(repr=False)
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    environment: str
    instance_path: Path
    database_url: str | None
    migration_database_url: str | None
    secret_key: str | None
    host: str
    port: int
    demo: bool
    web_workers: int
    web_threads: int
    secure_cookies: bool
    proxies: int
    institution_name: str
    institution_country: str
    institution_zone: str
    session_idle_minutes: int
    token_requests_a_minute: int
    session_hours: int
    approval_business_hours: int
    resolve_business_days: int
    retention_years: int
    iban_country: str
    iban_bank_code: str
    mail_server: MailServer | None
    mail_from: str
    export_xlsx_rows: int
    export_xlsx_at_once: int
    fx_quote_seconds: int
    fx_rate_business_days: int
    transfer_confirmation_minutes: int
    transfer_duplicate_minutes: int
    sandbox_port: int
    sandbox_secret: str | None = field(repr=False)
    provider_ask_minutes: int
    document_megabytes: int
    document_reminder_days: int
    review_months_low: int
    review_months_medium: int
    review_months_high: int
    review_lead_days: int
    review_daily: int
    review_escalate_days: int
    review_restrict_days: int
    #: None: there are no credentials, and nothing is asked
    sumsub_access: SumsubAccess | None
    sumsub_requests_per_second: int
    sumsub_confirm_approvals: bool
    sumsub_silent_minutes: int
    #: None: the clock ends no day
    end_of_day_at: time | None
    check_age_business_days: int
    check_event_minutes: int
    audit_seal_minutes: int
    #: the first is the newest; none: webhooks are off
    sumsub_webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    sumsub_digest_algorithm: str = DIGEST_ALGORITHMS[0]
    sumsub_workflow_levels: frozenset[str] = frozenset()
    sumsub_approving_levels: frozenset[str] = frozenset()
    #: the first seals, all of them open
    second_factor_keys: tuple[str, ...] = field(default=(), repr=False)
    second_factor_roles: frozenset[str] = frozenset()
    #: scheme and host, without a slash at the end; None: no e-mail carries a link
    public_url: str | None = None
    #: None: there is no page of figures, and no request is counted
    metrics_token: str | None = field(default=None, repr=False)

    @property
    def largest_document(self) -> int:
        """In bytes."""
        return self.document_megabytes * 1024 * 1024

    def factor_keys(self) -> tuple[str, ...]:
        """Keys of the secrets of second factors; without any, in development, one that follows from the secret key."""
        return self.second_factor_keys or (f"second factor {self.signing_key()}",)

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.institution_zone)

    def signing_key(self) -> str:
        """The secret key: from the environment, or made once and kept in the data directory (mode 0600)."""
        if self.secret_key:
            return self.secret_key
        path = self.instance_path / "secret-key"
        if not path.exists():
            self.instance_path.mkdir(parents=True, exist_ok=True)
            fresh = self.instance_path / f".secret-key-{secrets.token_hex(4)}"
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_urlsafe(48))
            try:
                # link() fails when another process was first: then its key counts, not ours
                os.link(fresh, path)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_text().strip()


def _number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    raw = env.get(name, "").strip() or str(default)
    try:
        value = int(raw)
    except ValueError:
        raise SettingsError(f"{name} must be a whole number, not {raw!r}") from None
    if not low <= value <= high:
        raise SettingsError(f"{name} must lie between {low} and {high}, not {value}")
    return value


def _flag(env: Mapping[str, str], name: str, default: bool) -> bool:
    raw = env.get(name, "").strip().lower()
    if not raw:
        return default
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off"}:
        return False
    raise SettingsError(f"{name} must be 1 or 0, not {raw!r}")


def _time_of_day(env: Mapping[str, str], name: str, default: str) -> time | None:
    raw = env.get(name, "").strip().lower() or default
    if raw == "off":
        return None
    try:
        if len(raw) != len("00:10"):
            raise ValueError
        return time.fromisoformat(raw)
    except ValueError:
        raise SettingsError(f"{name} must be a time of day such as {default}, or off, not {raw!r}") from None


def _postgres_url(env: Mapping[str, str], name: str) -> str | None:
    raw = env.get(name, "").strip()
    if not raw:
        return None
    for scheme in ("postgresql+psycopg://", "postgresql://", "postgres://"):
        if raw.startswith(scheme):
            return "postgresql+psycopg://" + raw.removeprefix(scheme)
    raise SettingsError(f"{name} must start with postgresql://")


#: the port of each scheme where SMTP_URL names none
_MAIL_PORTS = {MailSecurity.STARTTLS_IF_OFFERED: 25, MailSecurity.STARTTLS: 587, MailSecurity.TLS: 465}


def _mail_server(env: Mapping[str, str]) -> MailServer | None:
    """SMTP_URL, or None. What is wrong with it is never quoted: a password stands in it."""
    raw = env.get("SMTP_URL", "").strip()
    if not raw:
        return None
    form = SettingsError(
        "SMTP_URL must look like smtps://user:password@host:465, smtp+starttls://… or smtp://…;"
        " write special characters of user and password as %XX"
    )
    if not raw.isascii() or not raw.isprintable() or " " in raw:
        raise form
    try:
        parts = urlsplit(raw)
        security = MailSecurity(parts.scheme)
        port = _MAIL_PORTS[security] if parts.port is None else parts.port
        if not port or not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise form
    except ValueError:
        raise form from None
    user, password = unquote(parts.username or "") or None, unquote(parts.password or "") or None
    if (user is None) != (password is None):
        raise SettingsError("SMTP_URL must hold both user and password, or neither")
    if user and password and not (user + password).isascii():
        raise SettingsError("SMTP_URL: mail servers take only ASCII in user and password")
    return MailServer(parts.hostname, port, security, user, password)


def _mail_from(env: Mapping[str, str], *, required: bool) -> str:
    raw = env.get("MAIL_FROM", "").strip()
    if not raw:
        if required:
            raise SettingsError("MAIL_FROM is required with SMTP_URL: Bank <no-reply@bank.example>")
        return ""
    # imported here: the supervisor loads settings too, and has no use for mail
    from email.policy import default

    header = default.header_factory("From", raw) if raw.isprintable() else None
    senders = [] if header is None or header.defects or header.groups[0].display_name else header.addresses
    if len(senders) != 1 or not senders[0].addr_spec.isascii() or "." not in senders[0].domain:
        raise SettingsError(f"MAIL_FROM must be one address such as Bank <no-reply@bank.example>, not {raw!r}")
    return raw


#: where requests may go in clear: this machine
_HERE = {"localhost", "127.0.0.1", "::1"}


def _sumsub_url(env: Mapping[str, str], *, production: bool) -> str:
    raw = env.get("SUMSUB_BASE_URL", "").strip() or "https://api.sumsub.com"
    form = SettingsError("SUMSUB_BASE_URL must look like https://api.sumsub.com, without a path")
    try:
        parts = urlsplit(raw)
        # asked for its complaint about a port that is none
        _ = parts.port
    except ValueError:
        raise form from None
    if (
        not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username is not None
    ):  # fmt: skip
        raise form
    if parts.scheme != "https" and (parts.scheme != "http" or production or parts.hostname not in _HERE):
        raise SettingsError("SUMSUB_BASE_URL must begin with https://; http:// is for this machine, in development")
    return raw.rstrip("/")


def _sumsub_access(env: Mapping[str, str], *, production: bool) -> SumsubAccess | None:
    """Credentials of Sumsub's API, or None. What is wrong with them is never quoted."""
    url = _sumsub_url(env, production=production)
    token, key = env.get("SUMSUB_APP_TOKEN", "").strip(), env.get("SUMSUB_SECRET_KEY", "").strip()
    if not token and not key:
        return None
    if not token or not key:
        raise SettingsError("SUMSUB_APP_TOKEN and SUMSUB_SECRET_KEY are set together, or neither")
    if not (token + key).isascii() or not (token + key).isprintable() or " " in token + key:
        raise SettingsError("SUMSUB_APP_TOKEN and SUMSUB_SECRET_KEY hold only printable ASCII, without spaces")
    if production and token.startswith("sbx:"):
        raise SettingsError(
            "SUMSUB_APP_TOKEN is a token of Sumsub's sandbox; production needs one that begins with prd:"
        )
    return SumsubAccess(url, token, key)


def _listed(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in env.get(name, "").split(",") if part.strip()))


def _webhook_secrets(env: Mapping[str, str], *, production: bool) -> tuple[str, ...]:
    secrets_ = _listed(env, "SUMSUB_WEBHOOK_SECRET")
    if production and DEMO_WEBHOOK_SECRET in secrets_:
        raise SettingsError("SUMSUB_WEBHOOK_SECRET must not be the demo's when ENVIRONMENT=production")
    return secrets_ or (() if production else (DEMO_WEBHOOK_SECRET,))


def _factor_keys(env: Mapping[str, str], *, production: bool) -> tuple[str, ...]:
    keys = _listed(env, "SECOND_FACTOR_KEY")
    if production and not keys:
        raise SettingsError("SECOND_FACTOR_KEY with at least 32 characters is required when ENVIRONMENT=production")
    if any(len(key) < 32 for key in keys):
        raise SettingsError("SECOND_FACTOR_KEY needs at least 32 characters, each of them while rotating")
    if env.get("SECRET_KEY", "").strip() in keys:
        raise SettingsError("SECOND_FACTOR_KEY must be another one than SECRET_KEY")
    return keys


def _public_url(env: Mapping[str, str], *, production: bool) -> str | None:
    raw = env.get("PUBLIC_URL", "").strip().rstrip("/")
    if not raw:
        return None
    parts = urlsplit(raw)
    schemes = {"https"} if production else {"https", "http"}
    if parts.scheme not in schemes or not parts.hostname or raw != f"{parts.scheme}://{parts.netloc}" or "@" in raw:
        raise SettingsError(f"PUBLIC_URL must be a scheme and a host such as https://office.bank.example, not {raw!r}")
    return raw


def _digest_algorithm(env: Mapping[str, str]) -> str:
    raw = env.get("SUMSUB_DIGEST_ALGORITHM", "").strip() or DIGEST_ALGORITHMS[0]
    if raw not in DIGEST_ALGORITHMS:
        raise SettingsError(f"SUMSUB_DIGEST_ALGORITHM must be {', '.join(DIGEST_ALGORITHMS)}, not {raw!r}")
    return raw


def _metrics_token(env: Mapping[str, str]) -> str | None:
    """Never quoted where it is wrong."""
    raw = env.get("METRICS_TOKEN", "").strip()
    if raw and (len(raw) < 16 or not raw.isascii() or not raw.isprintable() or " " in raw):
        raise SettingsError("METRICS_TOKEN must have at least 16 printable ASCII characters, without spaces")
    return raw or None


def load(env: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. Raises SettingsError, which ends the process with one line."""
    env = os.environ if env is None else env
    environment = env.get("ENVIRONMENT", "").strip() or "development"
    if environment not in {"development", "production"}:
        raise SettingsError(f"ENVIRONMENT must be development or production, not {environment!r}")
    production = environment == "production"
    zone = env.get("INSTITUTION_ZONE", "").strip() or "Europe/Vilnius"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise SettingsError(f"INSTITUTION_ZONE {zone!r} is no IANA time zone") from None
    country = (env.get("INSTITUTION_COUNTRY", "").strip() or "LT").upper()
    if len(country) != 2 or not country.isalpha():
        raise SettingsError("INSTITUTION_COUNTRY must be an ISO 3166-1 alpha-2 code such as LT")
    secret = env.get("SECRET_KEY", "").strip() or None
    if production and (secret is None or len(secret) < 32):
        raise SettingsError("SECRET_KEY with at least 32 characters is required when ENVIRONMENT=production")
    database_url = _postgres_url(env, "DATABASE_URL")
    if production and database_url is None:
        raise SettingsError("DATABASE_URL is required when ENVIRONMENT=production; the embedded database is for trying")
    mail_server = _mail_server(env)
    escalate = _number(env, "REVIEW_ESCALATE_DAYS", 5, 0, 250)
    restrict = _number(env, "REVIEW_RESTRICT_DAYS", 20, 1, 250)
    if restrict <= escalate:
        raise SettingsError(f"REVIEW_RESTRICT_DAYS ({restrict}) must be more than REVIEW_ESCALATE_DAYS ({escalate})")
    return Settings(
        environment=environment,
        instance_path=Path(env.get("INSTANCE_PATH", "").strip() or ROOT / "instance").resolve(),
        database_url=database_url,
        migration_database_url=_postgres_url(env, "MIGRATION_DATABASE_URL"),
        secret_key=secret,
        host=env.get("HOST", "").strip() or "127.0.0.1",
        port=_number(env, "PORT", 8000, 1, 65535),
        demo=_flag(env, "DEMO", default=True) and not production,
        web_workers=_number(env, "WEB_WORKERS", 2, 1, 64),
        web_threads=_number(env, "WEB_THREADS", 8, 1, 64),
        secure_cookies=_flag(env, "SECURE_COOKIES", default=production),
        proxies=_number(env, "PROXIES", 0, 0, 5),
        institution_name=env.get("INSTITUTION_NAME", "").strip() or "Countinghouse Demo",
        institution_country=country,
        institution_zone=zone,
        session_idle_minutes=_number(env, "SESSION_IDLE_MINUTES", 30, 1, 24 * 60),
        token_requests_a_minute=_number(env, "TOKEN_REQUESTS_A_MINUTE", 60_000, 60, 10_000_000),
        session_hours=_number(env, "SESSION_HOURS", 12, 1, 24 * 7),
        approval_business_hours=_number(env, "APPROVAL_BUSINESS_HOURS", 12, 1, 500),
        resolve_business_days=_number(env, "RESOLVE_BUSINESS_DAYS", 10, 1, 250),
        retention_years=_number(env, "RETENTION_YEARS", 5, 5, 10),
        iban_country=(env.get("IBAN_COUNTRY", "").strip() or "LT").upper(),
        iban_bank_code=(env.get("IBAN_BANK_CODE", "").strip() or "99999").upper(),
        mail_server=mail_server,
        mail_from=_mail_from(env, required=mail_server is not None),
        export_xlsx_rows=_number(env, "EXPORT_XLSX_ROWS", 100_000, 1, 1_000_000),
        export_xlsx_at_once=_number(env, "EXPORT_XLSX_AT_ONCE", 5_000, 1, 100_000),
        fx_quote_seconds=_number(env, "FX_QUOTE_SECONDS", 60, 5, 3600),
        fx_rate_business_days=_number(env, "FX_RATE_BUSINESS_DAYS", 3, 1, 30),
        transfer_confirmation_minutes=_number(env, "TRANSFER_CONFIRMATION_MINUTES", 15, 1, 24 * 60),
        transfer_duplicate_minutes=_number(env, "TRANSFER_DUPLICATE_MINUTES", 10, 1, 24 * 60),
        sandbox_port=_number(env, "SANDBOX_PORT", min(_number(env, "PORT", 8000, 1, 65535) + 1, 65535), 1, 65535),
        sandbox_secret=env.get("SANDBOX_SECRET", "").strip() or (None if production else DEMO_SANDBOX_SECRET),
        provider_ask_minutes=_number(env, "PROVIDER_ASK_MINUTES", 30, 1, 24 * 60),
        sumsub_access=_sumsub_access(env, production=production),
        sumsub_requests_per_second=_number(env, "SUMSUB_REQUESTS_PER_SECOND", 10, 1, 50),
        sumsub_confirm_approvals=_flag(env, "SUMSUB_CONFIRM_APPROVALS", default=True),
        sumsub_silent_minutes=_number(env, "SUMSUB_SILENT_MINUTES", 90, 5, 24 * 60),
        end_of_day_at=_time_of_day(env, "END_OF_DAY_AT", "00:10"),
        check_age_business_days=_number(env, "CHECK_AGE_BUSINESS_DAYS", 1, 1, 100),
        check_event_minutes=_number(env, "CHECK_EVENT_MINUTES", 15, 1, 24 * 60),
        audit_seal_minutes=_number(env, "AUDIT_SEAL_MINUTES", 15, 2, 24 * 60),
        sumsub_webhook_secrets=_webhook_secrets(env, production=production),
        sumsub_digest_algorithm=_digest_algorithm(env),
        sumsub_workflow_levels=frozenset(_listed(env, "SUMSUB_WORKFLOW_LEVELS")),
        sumsub_approving_levels=frozenset(_listed(env, "SUMSUB_APPROVING_LEVELS")),
        second_factor_keys=_factor_keys(env, production=production),
        second_factor_roles=frozenset(_listed(env, "SECOND_FACTOR_ROLES")),
        public_url=_public_url(env, production=production),
        metrics_token=_metrics_token(env),
        document_megabytes=_number(env, "DOCUMENT_MEGABYTES", 10, 1, 50),
        document_reminder_days=_number(env, "DOCUMENT_REMINDER_DAYS", 30, 1, 365),
        # AMLR Art. 26(2): no later than five years, one where the risk is higher
        review_months_low=_number(env, "REVIEW_MONTHS_LOW", 60, 1, 60),
        review_months_medium=_number(env, "REVIEW_MONTHS_MEDIUM", 24, 1, 60),
        review_months_high=_number(env, "REVIEW_MONTHS_HIGH", 12, 1, 12),
        review_lead_days=_number(env, "REVIEW_LEAD_DAYS", 30, 0, 180),
        review_daily=_number(env, "REVIEW_DAILY", 1000, 1, 100_000),
        review_escalate_days=escalate,
        review_restrict_days=restrict,
    )
