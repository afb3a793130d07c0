"""Columns that hold no personal data of a client, or that the law keeps, and why.

Every text, JSON, date, list and bytes column of the database is either in the register that the purge walks over
(`personal_column`, written by migrations) or named here. A test walks the catalogue: a new column that nobody has
declared fails it (docs/adr/0023). Identifiers, numbers, flags and instants say nothing of a person by themselves.
"""

from __future__ import annotations

#: words of our own lists: kinds, states, codes, currencies
CODE = "a word of a fixed list"
#: who worked for the house, and when; staff are not the clients whose data is deleted
STAFF = "staff or a machine of the house"
#: evidence of money: what the law of accounts keeps, without a name
MONEY = "evidence of money"
#: what a bank calls a payment; needed to answer the bank, names nobody
REFERENCE = "a reference of a bank"
#: a random id at the provider of verifications: so that a late event finds nobody, rather than somebody new
APPLICANT = "an id at the provider of verifications"
#: rules and settings of the house
HOUSE = "of the house itself"
#: digests and secrets of machines; nothing can be read back
DIGEST = "a digest"
#: what a bank wrote into the statement of the house's own account: kept whole as the law of accounts asks
STATEMENT = "a bank's statement"
#: what somebody typed into a filter: the row goes with its file, a day after the export was made (docs/adr/0038)
A_DAY = "gone within a day, with the file"

NOT_PERSONAL: dict[str, dict[str, str]] = {
    "account": {"status": CODE, "provider": HOUSE, "currency": CODE, "number": MONEY, "type": CODE},
    "account_balance": {"currency": CODE},
    "account_owner": {"blocked_amounts": MONEY},
    "account_pool": {"pool": CODE},
    "account_pool_version": {"pool": CODE},
    "alembic_version": {"version_num": HOUSE},
    "api_token": {"partner": HOUSE, "scopes": CODE, "secret_hash": DIGEST, "prefix": DIGEST, "audience": CODE,
        "origin": CODE},
    "approval_request": {
        "kind": CODE, "decider_name": STAFF, "maker_name": STAFF, "maker_kind": CODE, "state": CODE,
        "object_type": CODE,
    },
    "approval_rule": {"kind": CODE, "deciders": CODE},
    "audit_event": {
        "actor_role": CODE, "actor_kind": CODE, "payload_digest": DIGEST, "object_type": CODE, "action": CODE,
        "request_id": HOUSE,
    },
    "audit_seal": {"digest": DIGEST, "hash": DIGEST, "actor_digest": DIGEST},
    "background_job": {
        "kind": CODE, "result": HOUSE, "arguments": HOUSE, "state": CODE, "asked_by_name": STAFF, "asked_by_kind": CODE,
        "failure": HOUSE,
    },
    "balance_check": {"scope": CODE, "by_kind": CODE, "by_name": STAFF},
    "balance_finding": {"state": CODE},
    "bank_account": {"currency": CODE, "number": HOUSE, "name": HOUSE, "provider": HOUSE},
    "break_event": {"kind": CODE, "by_kind": CODE, "by_name": STAFF, "detail": MONEY},
    "business_day": {"state": CODE, "day": HOUSE},
    "calendar_day": {"name": HOUSE, "country": CODE, "day": HOUSE},
    "carried_in": {"begins_on": HOUSE, "reason": HOUSE},
    "client": {"type": CODE, "partner": HOUSE, "status": CODE, "status_before_block": CODE},
    "client_block": {
        "currency": CODE, "review_date": HOUSE, "placed_by_kind": CODE, "placed_by_name": STAFF, "lifted_by_kind": CODE,
        "lifted_by_name": STAFF, "scope": CODE, "code": CODE,
    },
    "client_document": {
        "keep_until": HOUSE, "sha256": DIGEST, "media_type": CODE, "category": CODE, "expires_on": HOUSE, "state": CODE,
        "uploaded_by_kind": CODE,
    },
    "client_document_decision": {
        "decision": CODE, "decided_by_name": STAFF, "decided_by_kind": CODE, "expires_on": HOUSE, "category": CODE,
        "reason_code": CODE,
    },
    "client_flag": {"closed_by_name": STAFF, "field": CODE, "code": CODE},
    "client_mark": {
        "opened_by_name": STAFF, "ended_by_name": STAFF, "list_version": HOUSE, "list_name": HOUSE, "kind": CODE,
    },
    "client_note": {"author_name": STAFF},
    "client_reference": {"currency": CODE, "expires_on": HOUSE},
    "client_review": {
        "reviewed_by_name": STAFF, "outcome": CODE, "next_on": HOUSE, "due_on": HOUSE, "reviewed_on": HOUSE,
    },
    "client_review_plan": {
        "prohibited_on": HOUSE, "period_from": HOUSE, "expires_on": HOUSE, "chosen_on": HOUSE, "next_on": HOUSE,
    },
    "client_risk_change": {"by_name": STAFF, "by_kind": CODE, "cause": CODE},
    "client_sum": {"day": MONEY, "pool": CODE, "currency": CODE},
    "client_verification": {
        "state": CODE, "applicant_id": APPLICANT, "provider": CODE, "level": HOUSE, "event_type": CODE,
        "reject_type": CODE, "answer": CODE, "review_status": CODE,
    },
    "csv_mapping": {"rules": HOUSE, "created_by": STAFF},
    "daily_balance": {"day": MONEY},
    "daily_total": {"account_type": CODE, "day": MONEY, "currency": CODE},
    "daily_check_finding": {
        "check_key": CODE, "cause": CODE, "pool": CODE, "currency": CODE, "subject_type": CODE, "subject": MONEY,
        "says": MONEY, "todo": HOUSE, "path": HOUSE,
    },
    "daily_check_result": {"check_key": CODE, "outcome": CODE, "missing": HOUSE},
    "daily_check_run": {"day": HOUSE, "by_kind": CODE, "by_name": STAFF},
    "deletion_request": {
        "requested_by_kind": CODE, "received_on": HOUSE, "channel": CODE, "refusal_ground": CODE,
        "closed_by_name": STAFF, "state": CODE, "purge_from": HOUSE,
    },
    "desk_limit": {"currency": CODE},
    "disposition": {
        "made_by_kind": CODE, "made_by_name": STAFF, "fee_bearer": CODE, "currency": CODE, "state": CODE, "kind": CODE,
        "rules_version": HOUSE,
    },
    "evidence_pack": {
        "state": CODE, "sha256": DIGEST, "content": MONEY, "made_by_kind": CODE, "made_by": STAFF,
    },
    "fx_quote": {"buy_currency": CODE, "rate_source": CODE, "sell_currency": CODE},
    "fx_rate": {"quote": CODE, "source": CODE, "base": CODE},
    "idempotency_key": {},
    "incoming_correction": {"by_name": STAFF, "by_kind": CODE},
    "incoming_link": {"source": CODE},
    "incoming_request": {
        "failure_code": CODE, "state": CODE, "missing_data": CODE, "value_date": MONEY, "bank_references": REFERENCE,
        "returns": REFERENCE, "end_to_end_id": REFERENCE, "currency": CODE, "body_hash": DIGEST, "source": CODE,
        "provider_reference": REFERENCE, "provider": HOUSE,
    },
    "job_run": {
        "job": CODE, "state": CODE, "owner": HOUSE, "figures": HOUSE, "failure": HOUSE, "asked_by_kind": CODE,
        "asked_by": STAFF,
    },
    "job_setting": {"job": CODE, "paused_by_kind": CODE, "paused_by": STAFF, "paused_because": HOUSE},
    "ledger_file_import": {"sha256": DIGEST, "file_name": HOUSE},
    "ledger_transaction": {"state": CODE, "booking_date": MONEY, "value_date": MONEY, "currency": CODE},
    "list_export": {
        "role": CODE, "permissions": CODE, "endpoint": CODE, "title": HOUSE, "address": A_DAY, "filters": CODE,
        "digest": DIGEST, "file": DIGEST,
    },
    "legal_hold": {"placed_by_name": STAFF, "code": CODE},
    "match_booking": {"lines": HOUSE, "transactions": HOUSE, "booked_as": CODE},
    "match_line": {"booking_date": MONEY},
    "match_place": {"swept_on": HOUSE, "begins_on": HOUSE},
    "match_rule_set": {"rules": HOUSE, "created_by": STAFF},
    "match_run": {"day": HOUSE, "state": CODE, "by_kind": CODE, "by_name": STAFF, "figures": MONEY},
    "match_transaction": {"booking_date": MONEY},
    "one_time_password": {"code_hash": DIGEST, "operation": CODE, "salt": DIGEST},
    "open_item": {"side": CODE, "booking_date": MONEY},
    "opening_import": {"file_name": HOUSE, "sha256": DIGEST, "created_by": STAFF, "state": CODE, "totals": MONEY},
    "opening_row": {"currency": CODE},
    "own_movement": {
        "kind": CODE, "currency": CODE, "way": CODE, "reference": REFERENCE, "bank_reference": REFERENCE,
        "state": CODE, "maker_name": STAFF, "left_on": MONEY, "arrived_on": MONEY, "ended_because": HOUSE,
        "problem": HOUSE,
    },
    "payer_rule": {"currency": CODE, "ended_by": STAFF, "state": CODE, "created_by": STAFF},
    "payment": {
        "parent_type": CODE, "maker_kind": CODE, "value_date": MONEY, "booking_date": MONEY, "state": CODE,
        "purpose": CODE,
    },
    "payment_state_change": {"by_kind": CODE, "to_state": CODE, "from_state": CODE},
    "personal_column": {"column_name": HOUSE, "becomes": HOUSE, "table_name": HOUSE, "found_by": HOUSE},
    "position_account": {
        "purpose": CODE, "statement_day": MONEY, "tie_out": CODE, "holiday": HOUSE, "unmatched_since": MONEY,
    },
    "position_action": {
        "pool": CODE, "currency": CODE, "day": HOUSE, "about": CODE, "kind": CODE, "says": HOUSE,
        "by_name": STAFF,
    },
    "position_item": {"figure": CODE, "booking_date": HOUSE},
    "provider": {"key": HOUSE, "settings": HOUSE, "name": HOUSE, "kind": CODE},
    "provider_file": {
        "reason": HOUSE, "failures": HOUSE, "state": CODE, "sha256": DIGEST, "message_id": REFERENCE, "provider": HOUSE,
        "direction": CODE, "name": HOUSE, "format": CODE,
    },
    "provider_message": {
        "kind": CODE, "digest": DIGEST, "media_type": CODE, "direction": CODE, "provider": HOUSE,
        "reference": REFERENCE,
    },
    "provider_route": {"provider": HOUSE, "currency": CODE, "type": CODE},
    "queue_item": {"queue": CODE, "cause": CODE, "object_type": CODE},
    "recovery_code": {"code_hash": DIGEST},
    "half_sign_in": {"secret_hash": DIGEST},
    "password_reset": {"secret_hash": DIGEST, "countersign_hash": DIGEST},
    "rate_limit": {"key": DIGEST},
    "receipt": {"state": CODE, "cause": CODE, "keep_until": HOUSE, "currency": CODE},
    "receipt_event": {"kind": CODE, "by_name": STAFF, "by_kind": CODE},
    "recon_break": {
        "currency": CODE, "kind": CODE, "cause": CODE, "bank_on": MONEY, "ledger_on": MONEY, "since": MONEY,
        "state": CODE, "resolution": CODE,
    },
    "recon_match": {
        "currency": CODE, "state": CODE, "found_by": CODE, "first_on": MONEY, "last_on": MONEY,
        "made_by_kind": CODE, "made_by": STAFF, "decided_by": STAFF, "undone_by": STAFF,
    },
    "recipient": {"account_format": CODE, "created_by_kind": CODE},
    # the name is given by staff and told to name no client; a view keeps no text that somebody typed into a filter
    "saved_view": {"list": CODE, "name": STAFF, "name_key": STAFF, "query": CODE},
    "screening": {"list_name": HOUSE, "list_version": HOUSE, "result": CODE, "by_kind": CODE, "by_name": STAFF},
    "sign_in_failure": {"email_hash": DIGEST},
    "staff_member": {
        "theme": CODE, "density": CODE, "password_hash": DIGEST, "role": CODE, "name": STAFF, "email_key": STAFF,
        "email": STAFF,
    },
    "second_factor": {"sealed_secret": DIGEST, "ended_how": CODE},
    "second_factor_failure": {"kind": CODE},
    "staff_invitation": {
        "email": STAFF, "email_key": STAFF, "name": STAFF, "role": CODE, "secret_hash": DIGEST, "ended_because": CODE,
        "countersign_hash": DIGEST,
    },
    "staff_session": {"address": STAFF, "secret_hash": DIGEST, "browser": STAFF},
    "statement": {
        "currency": CODE, "kind": CODE, "bank_id": REFERENCE, "key": REFERENCE, "first_day": MONEY, "last_day": MONEY,
        "tie_out": CODE, "continuity": CODE, "remarks": HOUSE,
    },
    "statement_entry": {
        "currency": CODE, "status": CODE, "booking_date": MONEY, "value_date": MONEY, "key": REFERENCE,
        "bank_reference": REFERENCE, "batch_reference": REFERENCE, "code": CODE,
    },
    "statement_import": {
        "file_name": HOUSE, "sha256": DIGEST, "format": CODE, "source": CODE, "state": CODE, "reason": HOUSE,
        "failures": HOUSE, "created_by_kind": CODE, "created_by": STAFF,
    },
    "statement_line": {
        "currency": CODE, "booking_date": MONEY, "value_date": MONEY,
        "provider_reference": REFERENCE, "batch_reference": REFERENCE,
    },
    "submission": {"last_error": HOUSE, "provider": HOUSE, "state": CODE},
    "sumsub_applicant": {"applicant_id": APPLICANT, "level": HOUSE, "state": CODE},
    "sumsub_event": {
        "answer": CODE, "source": CODE, "verdict": CODE, "refusal": CODE, "digest": DIGEST, "meaning": DIGEST,
        "allowances": CODE, "type": CODE, "applicant_id": APPLICANT, "level": HOUSE, "review_status": CODE,
        "effect": CODE, "reject_type": CODE,
    },
    "rule_change": {"rule": CODE, "was": HOUSE, "becomes": HOUSE},
    "sumsub_question": {
        "applicant_id": APPLICANT, "reason": CODE, "asked_by_kind": CODE, "asked_by_name": STAFF, "failure": HOUSE,
        "outcome": CODE,
    },
    "transfer": {
        "counter_currency": CODE, "currency": CODE, "type": CODE, "status": CODE, "kind": CODE, "parent_type": CODE,
        "value_date": MONEY, "maker_kind": CODE, "provider_reference": REFERENCE, "provider": HOUSE,
        "end_to_end_id": REFERENCE,
    },
    "transfer_check": {"code": CODE, "outcome": CODE},
    "transfer_country_rule": {"outcome": CODE, "country": CODE, "note": HOUSE},
    "transfer_fee": {"currency": CODE, "type": CODE},
    "transfer_limit": {"currency": CODE},
    "transfer_status_change": {"from_status": CODE, "by_kind": CODE, "code": CODE, "to_status": CODE, "by_name": STAFF},
    "treasury_account": {
        "pool": CODE, "purpose": CODE, "designated_from": HOUSE, "designated_to": HOUSE, "statement_format": CODE,
        "calendar": CODE, "closed_on": HOUSE,
    },
    "treasury_account_version": {
        "pool": CODE, "purpose": CODE, "designated_from": HOUSE, "designated_to": HOUSE, "statement_format": CODE,
        "calendar": CODE, "closed_on": HOUSE,
    },
    "treasury_cover": {
        "pool": CODE, "currency": CODE, "kind": CODE, "issuer": HOUSE, "reference": HOUSE, "valid_from": HOUSE,
        "valid_to": HOUSE, "review_on": HOUSE,
    },
    "treasury_cover_version": {
        "pool": CODE, "currency": CODE, "kind": CODE, "issuer": HOUSE, "reference": HOUSE, "valid_from": HOUSE,
        "valid_to": HOUSE, "review_on": HOUSE,
    },
    "treasury_day": {
        "pool": CODE, "currency": CODE, "day": HOUSE, "state": CODE, "prepared_by": STAFF, "signed_by": STAFF,
        "reopened_by": STAFF, "reopened_because": HOUSE,
    },
    "treasury_position": {"internal": CODE, "segregation": CODE, "external": CODE},
    "treasury_threshold": {"pool": CODE, "currency": CODE, "kind": CODE},
    "treasury_alert": {
        "check_key": CODE, "pool": CODE, "currency": CODE, "cause": CODE, "says": HOUSE, "state": CODE,
        "settled_by_kind": CODE, "settled_by": STAFF, "settled_because": HOUSE,
    },
    "verification_comparison": {"by_kind": CODE, "by_name": STAFF},
    "verification_difference": {"applicant_id": APPLICANT, "field": CODE, "state": CODE, "closing": CODE},
    "verification_decision": {"applicant_id": APPLICANT, "level": HOUSE, "effect": CODE, "outcome": CODE},
}  # fmt: skip
