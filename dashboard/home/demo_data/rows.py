"""Rows of tables as lines of PostgreSQL's COPY text format."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from random import Random
from typing import Any

#: what a load writes, in an order that foreign keys allow
COLUMNS = {
    "audit_event": "id occurred_at actor_kind actor_id actor_name actor_role action object_type object_id client_id"
    " payload_digest",
    "audit_payload": "event_id salt before after reason restricted",
    "approval_request": "id kind object_type object_id client_id subject state maker_kind maker_id maker_name"
    " maker_senior reason restricted payload before after fingerprint requested_at expires_at decided_by decider_name"
    " decider_senior closed_at decision_reason",
    "client": "id type status status_before_block risk_level name name_key search_text country email phone_number"
    " partner external_id editor_user_id is_default_compliant open_flags worst_flag activation_approval_id version"
    " created_at updated_at closed_at",
    "individual": "client_id first_name last_name birth_date citizenship_country residence_country document_type"
    " document_number document_issued_by document_issued_country document_issued_date document_expiration_date address",
    "company": "client_id legal_name registration_country address company_type registration_number registration_date"
    " tax_residency_country tax_number industry industry_other turnover web_site pay_ins_countries pay_outs_countries"
    " is_engaged_gambling_10k is_foundation is_publicly_listed is_relevant_activity purposes_account_opening"
    " business_partners fund_flows compliance_evaluation",
    "related_individual": "id client_id position first_name last_name email is_ubo is_shareholder is_director"
    " is_representative is_pep residence_country citizenship_country birth_date ownership document"
    " residential_address",
    "client_link": "client_id key kind",
    "client_flag": "id client_id code severity field fact opened_at closed_at closed_by closed_by_name closing_reason",
    "client_block": "id client_id scope amount_minor currency code legal_reference comment client_text started_at"
    " review_date placed_by_kind placed_by_id placed_by_name lifted_at lifted_by_kind lifted_by_id lifted_by_name"
    " lift_approval_id",
    "client_note": "id client_id author_id author_name body created_at",
    "queue_item": "id queue cause object_type object_id client_id restricted opened_at due_at assignee_id",
    "account_owner": "owner_id debits_frozen credits_frozen blocked_amounts closed",
    "bank_account": "id provider name number currency created_at",
    "treasury_account": "bank_account_id pool purpose designated_from statement_format expected_at calendar changed_at",
    "account": "id owner_id type number currency alias display_order hidden status provider bank_account_id standard"
    " created_at closed_at",
    "account_pool": "account_id pool since",
    "business_day": "day state opened_at closed_at snapshot_at",
    "payment": "id parent_type parent_id purpose state state_reason reverses_id created_at posted_at booking_date"
    " value_date maker_kind maker_id",
    "ledger_transaction": "id payment_id position debtor_account_id creditor_account_id currency amount_minor"
    " description state created_at posted_at booking_date value_date",
    "payment_state_change": "payment_id position from_state to_state at reason by_kind by_id",
    "account_balance": "account_id slot currency guarded posted held limit_minor blocked_minor debits_frozen"
    " credits_frozen closed touched",
    "daily_balance": "account_id day posted debits credits movements",
    "daily_total": "day currency account_type accounts posted debits credits",
    "provider": "key name kind active settings created_at",
    "provider_route": "type currency provider priority",
    "fx_rate": "id base quote rate source as_of loaded_at",
    "fx_quote": "id client_id sell_account_id buy_account_id sell_currency sell_minor buy_currency buy_minor rate"
    " margin_minor margin_basis_points rate_source rate_as_of created_at expires_at",
    "recipient": "id client_id name name_key account_format account_key bic bank_name country address visible"
    " created_at created_by_kind created_by_id",
    "transfer": "id kind status type client_id account_id counter_account_id currency amount_minor fee_minor"
    " counter_currency counter_minor recipient_id counterparty_name counterparty_account counterparty_key"
    " counterparty_bic counterparty_country remittance end_to_end_id provider provider_reference payment_id parent_type"
    " quote_id search_text value_date created_at confirm_by confirmed_at submitted_at ended_at maker_kind maker_id"
    " maker_name version",
    "transfer_status_change": "transfer_id position from_status to_status at code reason by_kind by_id by_name",
    "transfer_check": "transfer_id round code outcome limit_minor measured_minor detail at",
    "submission": "transfer_id provider state attempts next_at sent_at created_at",
    "incoming_request": "id provider provider_reference reversal source body_hash raw bank_account_id currency"
    " amount_minor creditor_account creditor_name debtor_name debtor_account debtor_bic debtor_country remittance"
    " bank_references booked_at value_date state attempts transfer_id created_at processed_at",
}  # fmt: skip

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _array(values: list[str]) -> str:
    """Only for words without commas, quotes and braces."""
    return "{" + ",".join(values) + "}"


def _document(value: Any) -> str:
    return _encode(value).translate(_ESCAPES)


#: how a value of each type is written; a list of texts is an array, other lists are JSON
_WRITERS: dict[type, Callable[[Any], str]] = {
    str: lambda value: value.translate(_ESCAPES) if "\\" in value or not value.isprintable() else value,
    int: str,
    bool: lambda value: "t" if value else "f",
    type(None): lambda _value: "\\N",
    dict: _document,
    list: lambda value: _array(value) if value and isinstance(value[0], str) else _document(value),
    date: date.isoformat,
}


def line(values: tuple[Any, ...]) -> str:
    """One row."""
    write = _WRITERS
    return "\t".join([write[type(value)](value) for value in values]) + "\n"


#: for each table how many rows there are, and the rows
Parcel = dict[str, tuple[int, bytes]]


class Sheets:
    """Lines collected for each table."""

    def __init__(self) -> None:
        self.lines: dict[str, list[str]] = {table: [] for table in COLUMNS}

    def add(self, table: str, *values: Any) -> None:
        self.lines[table].append(line(values))

    def parcels(self) -> Parcel:
        return {table: (len(lines), "".join(lines).encode()) for table, lines in self.lines.items() if lines}


def moment(milliseconds: int) -> str:
    """A time as PostgreSQL reads it, from milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


def identifier(milliseconds: int, random: Random) -> str:
    """A UUIDv7 of that millisecond."""
    digits = f"{random.getrandbits(74):019x}"
    variant = "89ab"[int(digits[3], 16) & 3]
    time = f"{milliseconds:012x}"
    return f"{time[:8]}-{time[8:]}-7{digits[:3]}-{variant}{digits[4:7]}-{digits[7:]}"
