"""Transfers: recipients, money out and in, the desk for unrecognized money, exchange, providers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from dashboard.money import DECIMALS
from migrations.guards import append_only, grant, never_deleted

revision = "0004"
down_revision = "0003"

#: status goes forward along FOLLOWING (dashboard.transfers.vocabulary), together with the ledger's payment
TRANSFER_GUARD = """
CREATE FUNCTION transfer_agrees(p_status text, p_paid text) RETURNS boolean LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT CASE
        WHEN p_status IN ('completed', 'unrecognized', 'returned', 'reversed') THEN coalesce(p_paid = 'posted', false)
        WHEN p_status IN ('confirmed', 'manualReview', 'submitted', 'unknown') THEN coalesce(p_paid = 'pending', false)
        WHEN p_status IN ('rejected', 'canceled') THEN p_paid IS NULL OR p_paid IN ('canceled', 'error')
        ELSE p_paid IS NULL END
$$;
CREATE FUNCTION transfer_is_paid_by(t transfer, p_payment uuid) RETURNS boolean LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
    -- the receiver's side of an internal transfer shares the payment of the payer's
    SELECT coalesce((
        SELECT bool_and(p.parent_id = CASE WHEN t.kind = 'incoming' AND t.type = 'internal' THEN t.related_id
                                           ELSE t.id END)
               AND CASE t.kind
                   WHEN 'outgoing' THEN
                       bool_or(x.position = 1 AND x.amount_minor = t.amount_minor)
                       AND sum(x.amount_minor) FILTER (WHERE x.debtor_account_id = t.account_id
                                                       AND x.currency = t.currency) = t.amount_minor + t.fee_minor
                   WHEN 'incoming' THEN
                       bool_or(x.creditor_account_id = t.account_id AND x.currency = t.currency
                               AND x.amount_minor = t.amount_minor)
                   ELSE
                       sum(x.amount_minor) FILTER (WHERE x.debtor_account_id = t.account_id
                                                   AND x.currency = t.currency) = t.amount_minor
                       AND sum(x.amount_minor) FILTER (WHERE x.creditor_account_id = t.counter_account_id
                                                       AND x.currency = t.counter_currency) = t.counter_minor
                   END
        FROM payment p JOIN ledger_transaction x ON x.payment_id = p.id WHERE p.id = p_payment), false)
$$;
CREATE FUNCTION transfer_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    paid text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.id, NEW.kind, NEW.currency, NEW.amount_minor, NEW.fee_minor, NEW.parent_type, NEW.created_at,
            NEW.maker_kind)
           IS DISTINCT FROM
           (OLD.id, OLD.kind, OLD.currency, OLD.amount_minor, OLD.fee_minor, OLD.parent_type, OLD.created_at,
            OLD.maker_kind)
           OR NEW.counter_minor IS DISTINCT FROM OLD.counter_minor
           OR NEW.counter_currency IS DISTINCT FROM OLD.counter_currency
           OR NEW.quote_id IS DISTINCT FROM OLD.quote_id OR NEW.maker_id IS DISTINCT FROM OLD.maker_id
           OR NEW.recipient_id IS DISTINCT FROM OLD.recipient_id
           OR NEW.counterparty_key IS DISTINCT FROM OLD.counterparty_key
           OR NEW.related_id IS DISTINCT FROM OLD.related_id
           OR NEW.remittance IS DISTINCT FROM OLD.remittance
           -- to whom, and by which way: what the client saw is what is sent
           OR NEW.counterparty_account IS DISTINCT FROM OLD.counterparty_account
           OR NEW.counterparty_name IS DISTINCT FROM OLD.counterparty_name
           OR NEW.counterparty_bic IS DISTINCT FROM OLD.counterparty_bic
           OR NEW.counter_account_id IS DISTINCT FROM OLD.counter_account_id
           OR NEW.type IS DISTINCT FROM OLD.type
           OR (OLD.provider IS NOT NULL AND NEW.provider IS DISTINCT FROM OLD.provider)
           OR (OLD.end_to_end_id IS NOT NULL AND NEW.end_to_end_id IS DISTINCT FROM OLD.end_to_end_id)
           -- incoming money changes its owner only together with its status
           OR ((NEW.kind <> 'incoming' OR NEW.status = OLD.status)
               AND (NEW.account_id, NEW.client_id) IS DISTINCT FROM (OLD.account_id, OLD.client_id))
           OR (OLD.payment_id IS NOT NULL AND NEW.payment_id IS DISTINCT FROM OLD.payment_id) THEN
            RAISE EXCEPTION 'a transfer is as it was made'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfer_is_as_made';
        END IF;
        IF NEW.status = OLD.status THEN
            RETURN NEW;
        END IF;
        IF NOT (CASE NEW.kind
            WHEN 'outgoing' THEN CASE OLD.status
                WHEN 'awaitingConfirmation' THEN NEW.status IN ('confirmed', 'canceled')
                WHEN 'confirmed' THEN NEW.status IN ('manualReview', 'submitted', 'completed', 'rejected', 'canceled')
                WHEN 'manualReview' THEN NEW.status IN ('confirmed', 'completed', 'rejected', 'canceled')
                WHEN 'submitted' THEN NEW.status IN ('completed', 'rejected', 'unknown', 'canceled', 'manualReview')
                WHEN 'unknown' THEN NEW.status IN ('submitted', 'completed', 'rejected', 'canceled')
                WHEN 'completed' THEN NEW.status = 'returned'
                ELSE false END
            WHEN 'incoming' THEN CASE OLD.status
                WHEN 'unrecognized' THEN NEW.status IN ('completed', 'returned', 'reversed')
                WHEN 'completed' THEN NEW.status IN ('unrecognized', 'reversed')
                WHEN 'returned' THEN NEW.status = 'unrecognized'
                ELSE false END
            ELSE false END)
        THEN
            RAISE EXCEPTION 'a % transfer does not go from % to %', NEW.kind, OLD.status, NEW.status
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfer_status_goes_forward';
        END IF;
        -- past the provider, or past the review: only with a second person
        IF NEW.kind = 'outgoing' AND NEW.status = 'completed'
           AND (OLD.status = 'manualReview' OR OLD.status = 'confirmed' AND NEW.type IS DISTINCT FROM 'internal')
           AND NOT EXISTS (
               SELECT 1 FROM approval_request r WHERE r.id = NEW.execute_approval_id AND r.state = 'approved'
               AND r.kind = 'transfers.execute' AND r.object_id = NEW.id AND r.payload ->> 'outcome' = 'executed') THEN
            RAISE EXCEPTION 'executing by hand needs two people'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfer_executed_by_two';
        END IF;
    END IF;
    IF NEW.payment_id IS NOT NULL THEN
        SELECT p.state INTO paid FROM payment p WHERE p.id = NEW.payment_id;
    END IF;
    -- a transfer is paid by a payment of its own, of its amount and between its accounts, not by just any
    IF NEW.payment_id IS NOT NULL AND (TG_OP = 'INSERT' OR OLD.payment_id IS NULL)
       AND NOT transfer_is_paid_by(NEW, NEW.payment_id) THEN
        RAISE EXCEPTION 'the payment is of something else'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfer_payment_is_its_own';
    END IF;
    -- what people read and what the ledger holds never part
    IF NOT transfer_agrees(NEW.status, paid)
    THEN
        RAISE EXCEPTION 'a % transfer has no % payment', NEW.status, coalesce(paid, 'missing')
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfer_agrees_with_ledger';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER transfer_guard BEFORE INSERT OR UPDATE ON transfer FOR EACH ROW EXECUTE FUNCTION transfer_guard();
CREATE TRIGGER transfer_begins BEFORE INSERT ON transfer FOR EACH ROW
    WHEN (NOT (NEW.kind = 'outgoing' AND NEW.status = 'awaitingConfirmation'
               OR NEW.kind = 'incoming' AND NEW.status IN ('completed', 'unrecognized')
               OR NEW.kind = 'foreignExchange' AND NEW.status = 'completed'))
    EXECUTE FUNCTION begins_at_the_beginning();
"""

#: the house sends nothing of its own: what leaves suspense is a return that the desk decided about
HOUSE_ONLY_RETURNS = """
CREATE FUNCTION house_only_returns() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- asked at the end of the transaction: the row as it was inserted did not know its payment yet
    IF NOT EXISTS (SELECT 1 FROM transfer t JOIN disposition d ON d.return_transfer_id = t.id
                   AND d.transfer_id = t.related_id AND d.kind = 'return' AND d.payment_id = t.payment_id
                   WHERE t.id = NEW.id) THEN
        RAISE EXCEPTION 'the house sends back what it received, and nothing else'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfer_of_house_is_a_return';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER transfer_of_house_is_a_return AFTER INSERT ON transfer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'outgoing' AND NEW.client_id IS NULL)
    EXECUTE FUNCTION house_only_returns();
"""

#: whoever moves a transfer's payment by the ledger alone finds the transfer in the way, at the latest at the commit
PAYMENT_AGREES = """
CREATE FUNCTION payment_agrees_with_transfer() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    paid text;
BEGIN
    SELECT p.state INTO paid FROM payment p WHERE p.id = NEW.id;
    IF EXISTS (SELECT 1 FROM transfer t WHERE t.payment_id = NEW.id AND NOT transfer_agrees(t.status, paid)) THEN
        RAISE EXCEPTION 'the payment belongs to a transfer, which says something else'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payment_agrees_with_transfer';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER payment_agrees_with_transfer AFTER UPDATE OF state ON payment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payment_agrees_with_transfer();
CREATE FUNCTION reversal_agrees_with_desk() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.state = 'posted' AND (
        EXISTS (SELECT 1 FROM disposition d WHERE d.payment_id = NEW.reverses_id AND d.state = 'posted')
        OR EXISTS (SELECT 1 FROM transfer t WHERE t.payment_id = NEW.reverses_id AND t.kind = 'incoming'
                   AND t.status <> 'reversed' AND t.related_id IS NULL)
    ) THEN
        RAISE EXCEPTION 'incoming money is reversed by its transfer, not beside it'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'reversal_agrees_with_desk';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER reversal_agrees_with_desk AFTER INSERT ON payment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.reverses_id IS NOT NULL)
    EXECUTE FUNCTION reversal_agrees_with_desk();
"""

#: a receipt keeps its amount and its clocks; what is left of it is what no living decision has taken
RECEIPT_GUARDS = """
CREATE FUNCTION receipt_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.transfer_id, NEW.currency, NEW.amount_minor, NEW.suspense_account_id, NEW.booked_at, NEW.allocate_by,
        NEW.resolve_by, NEW.warn_at)
       IS DISTINCT FROM
       (OLD.transfer_id, OLD.currency, OLD.amount_minor, OLD.suspense_account_id, OLD.booked_at, OLD.allocate_by,
        OLD.resolve_by, OLD.warn_at) THEN
        RAISE EXCEPTION 'a receipt keeps its amount and its deadlines'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'receipt_is_as_received';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER receipt_guard BEFORE UPDATE ON receipt FOR EACH ROW EXECUTE FUNCTION receipt_guard();
CREATE FUNCTION receipt_remaining_is_true() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    receipt_now receipt;
    taken bigint;
BEGIN
    SELECT * INTO receipt_now FROM receipt WHERE transfer_id = NEW.transfer_id;
    SELECT coalesce(sum(d.amount_minor), 0) INTO taken FROM disposition d
     WHERE d.transfer_id = NEW.transfer_id AND d.state IN ('waiting', 'posted');
    IF receipt_now.state <> 'reversed' AND receipt_now.remaining_minor <> receipt_now.amount_minor - taken
       OR (receipt_now.state = 'waiting') <> EXISTS (
           SELECT 1 FROM disposition d WHERE d.transfer_id = NEW.transfer_id AND d.state = 'waiting') THEN
        RAISE EXCEPTION 'what remains of a receipt is what no living decision has taken'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'receipt_remaining_is_true';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER receipt_remaining_is_true AFTER INSERT OR UPDATE ON receipt
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION receipt_remaining_is_true();
CREATE CONSTRAINT TRIGGER disposition_counts AFTER INSERT OR UPDATE ON disposition
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION receipt_remaining_is_true();
"""

#: above the limit of its currency a decision takes two people, or a rule that two people approved
DISPOSITION_GUARD = """
CREATE FUNCTION desk_needs_two(p_currency text, p_amount bigint) RETURNS boolean LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT p_amount > coalesce((SELECT l.two_people_above_minor FROM desk_limit l WHERE l.currency = p_currency), 0)
$$;
CREATE FUNCTION disposition_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.id, NEW.transfer_id, NEW.number, NEW.kind, NEW.currency, NEW.amount_minor, NEW.fee_minor, NEW.shown,
            NEW.rules_version, NEW.made_at, NEW.made_by_kind)
           IS DISTINCT FROM
           (OLD.id, OLD.transfer_id, OLD.number, OLD.kind, OLD.currency, OLD.amount_minor, OLD.fee_minor, OLD.shown,
            OLD.rules_version, OLD.made_at, OLD.made_by_kind)
           OR NEW.account_id IS DISTINCT FROM OLD.account_id OR NEW.client_id IS DISTINCT FROM OLD.client_id
           OR NEW.rule_id IS DISTINCT FROM OLD.rule_id OR NEW.made_by_id IS DISTINCT FROM OLD.made_by_id
           OR (OLD.payment_id IS NOT NULL AND NEW.payment_id IS DISTINCT FROM OLD.payment_id) THEN
            RAISE EXCEPTION 'a decision is as it was made'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'disposition_is_as_made';
        END IF;
        IF NEW.state = OLD.state THEN
            RETURN NEW;
        END IF;
        IF NOT (OLD.state = 'waiting' AND NEW.state IN ('posted', 'dropped')
                OR OLD.state = 'posted' AND NEW.state IN ('undone', 'failed')) THEN
            RAISE EXCEPTION 'a decision does not go from % to %', OLD.state, NEW.state
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'disposition_state_goes_forward';
        END IF;
    ELSIF NEW.state NOT IN ('waiting', 'posted') THEN
        RAISE EXCEPTION 'a decision begins waiting or posted'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'disposition_begins';
    END IF;
    IF NEW.state = 'posted' THEN
        IF desk_needs_two(NEW.currency, NEW.amount_minor) AND NOT (
            EXISTS (SELECT 1 FROM approval_request r WHERE r.id = NEW.approval_id AND r.state = 'approved'
                    AND r.kind = 'transfers.' || NEW.kind AND r.object_id = NEW.transfer_id
                    AND r.payload ->> 'dispositionId' = NEW.id::text)
            OR EXISTS (SELECT 1 FROM payer_rule p WHERE p.id = NEW.rule_id AND p.state = 'active'
                       AND NEW.kind = 'assign' AND p.account_id = NEW.account_id)
            OR NEW.kind = 'assign' AND NEW.made_by_kind = 'token' AND EXISTS (
                SELECT 1 FROM api_token t WHERE t.id = NEW.made_by_id AND t.revoked_at IS NULL
                AND t.expires_at > now() AND 'transfers:assign' = ANY (t.scopes))
        ) THEN
            RAISE EXCEPTION 'above the limit a decision takes two people'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'disposition_by_two';
        END IF;
        -- nobody but a rule that two people approved posts by itself
        IF NEW.made_by_kind = 'system' AND NOT EXISTS (
            SELECT 1 FROM payer_rule p WHERE p.id = NEW.rule_id AND p.state = 'active' AND p.approval_id IS NOT NULL
        ) THEN
            RAISE EXCEPTION 'only an approved rule posts by itself'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'disposition_by_itself_has_a_rule';
        END IF;
        IF NEW.kind = 'assign' AND NOT EXISTS (
            SELECT 1 FROM ledger_transaction t WHERE t.payment_id = NEW.payment_id AND t.state = 'posted'
            AND t.creditor_account_id = NEW.account_id AND t.amount_minor = NEW.amount_minor) THEN
            RAISE EXCEPTION 'a posted decision has its payment'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'disposition_agrees_with_ledger';
        END IF;
        IF NEW.kind = 'return' AND coalesce((
            SELECT s.result FROM screening s WHERE s.transfer_id = NEW.transfer_id ORDER BY s.id DESC LIMIT 1
        ), 'none') NOT IN ('clear', 'falsePositive') THEN
            RAISE EXCEPTION 'money goes back after a screening without a hit'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'disposition_return_is_screened';
        END IF;
        -- all of it, and only to where it came from
        IF NEW.kind = 'return' AND NOT EXISTS (
            SELECT 1 FROM transfer b JOIN transfer t ON t.id = b.related_id JOIN receipt r ON r.transfer_id = t.id
            WHERE b.id = NEW.return_transfer_id AND t.id = NEW.transfer_id AND b.payment_id = NEW.payment_id
              AND b.kind = 'outgoing' AND b.account_id = r.suspense_account_id AND b.currency = NEW.currency
              AND b.amount_minor + b.fee_minor = NEW.amount_minor
              AND (t.counterparty_account IS NULL
                   OR b.counterparty_account = upper(regexp_replace(t.counterparty_account, '\\s', '', 'g')))) THEN
            RAISE EXCEPTION 'money goes back whole, to where it came from'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'disposition_returns_to_the_payer';
        END IF;
    END IF;
    IF NEW.state = 'undone' AND (
        NOT EXISTS (SELECT 1 FROM payment p WHERE p.id = NEW.undo_payment_id AND p.state = 'posted')
        OR (NEW.receivable_minor > 0 OR desk_needs_two(NEW.currency, NEW.amount_minor)) AND NOT EXISTS (
            SELECT 1 FROM approval_request r WHERE r.id = NEW.undo_approval_id AND r.state = 'approved'
            AND r.object_id = NEW.transfer_id
            AND (r.kind = 'transfers.undo' AND r.payload ->> 'dispositionId' = NEW.id::text
                 OR r.kind = 'transfers.receivable' AND r.payload ->> 'accountId' = NEW.account_id::text))
        -- the bank took the credit back: both the assignment and the credit are reversed whole
        AND NOT (NEW.receivable_minor = 0 AND EXISTS (
            SELECT 1 FROM payment u WHERE u.id = NEW.undo_payment_id AND u.reverses_id = NEW.payment_id
            AND u.maker_kind = 'system') AND EXISTS (
            SELECT 1 FROM transfer t JOIN payment m ON m.reverses_id = t.payment_id AND m.state = 'posted'
            WHERE t.id = NEW.transfer_id))
    ) THEN
        RAISE EXCEPTION 'an undone decision has its payment, and above the limit two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'disposition_undone_by_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER disposition_guard BEFORE INSERT OR UPDATE ON disposition
    FOR EACH ROW EXECUTE FUNCTION disposition_guard();
"""

PAYER_RULE_GUARD = """
CREATE FUNCTION payer_rule_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.id, NEW.payer_key, NEW.currency, NEW.client_id, NEW.account_id, NEW.created_at, NEW.reason)
       IS DISTINCT FROM
       (OLD.id, OLD.payer_key, OLD.currency, OLD.client_id, OLD.account_id, OLD.created_at, OLD.reason)
       OR OLD.state = 'ended' OR (NEW.state = 'requested' AND OLD.state <> 'requested') THEN
        RAISE EXCEPTION 'a rule is as it was asked for, and ends for good'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payer_rule_is_as_asked';
    END IF;
    IF NEW.state = 'active' AND OLD.state <> 'active' AND NOT EXISTS (
        SELECT 1 FROM approval_request r WHERE r.id = NEW.approval_id AND r.state = 'approved'
        AND r.kind = 'transfers.payer-rule' AND r.object_id = NEW.id) THEN
        RAISE EXCEPTION 'a rule that posts by itself takes two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payer_rule_by_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payer_rule_guard BEFORE UPDATE ON payer_rule FOR EACH ROW EXECUTE FUNCTION payer_rule_guard();
CREATE TRIGGER payer_rule_begins BEFORE INSERT ON payer_rule
    FOR EACH ROW WHEN (NEW.state <> 'requested') EXECUTE FUNCTION begins_at_the_beginning();
"""

#: what the bank sent stays as it came; a request is finished once, and what a person typed never takes money above
#: the limit of one person straight to a client
INCOMING_GUARD = """
CREATE FUNCTION incoming_request_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.id, NEW.provider, NEW.provider_reference, NEW.reversal, NEW.source, NEW.body_hash, NEW.raw, NEW.booked_at,
        NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.provider, OLD.provider_reference, OLD.reversal, OLD.source, OLD.body_hash, OLD.raw, OLD.booked_at,
        OLD.created_at)
       OR NEW.message_id IS DISTINCT FROM OLD.message_id
       OR (OLD.currency IS NOT NULL AND NEW.currency IS DISTINCT FROM OLD.currency)
       OR (OLD.amount_minor IS NOT NULL AND NEW.amount_minor IS DISTINCT FROM OLD.amount_minor)
       OR (OLD.transfer_id IS NOT NULL AND NEW.transfer_id IS DISTINCT FROM OLD.transfer_id)
       OR (OLD.state IN ('processed', 'linked') AND NEW.state <> OLD.state) THEN
        RAISE EXCEPTION 'what the bank told stays, and is booked once'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'incoming_request_is_as_told';
    END IF;
    IF NEW.state = 'processed' AND OLD.state <> 'processed' AND NOT NEW.reversal
       AND desk_needs_two(NEW.currency, NEW.amount_minor)
       AND EXISTS (SELECT 1 FROM incoming_correction c WHERE c.request_id = NEW.id AND c.fields <> '{}')
       AND EXISTS (SELECT 1 FROM transfer t WHERE t.id = NEW.transfer_id AND t.status = 'completed'
                   AND t.kind = 'incoming') THEN
        RAISE EXCEPTION 'above the limit what was typed goes to the desk first'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'incoming_request_typed_by_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER incoming_request_guard BEFORE UPDATE ON incoming_request
    FOR EACH ROW EXECUTE FUNCTION incoming_request_guard();
"""

#: the adjusting payments of the desk: approved under the transfer's id, or an undo within the limit of one person
ADJUSTING_BEFORE = "OR r.kind = 'ledger.opening-balances' AND r.object_id = w.parent)"
ADJUSTING_AFTER = """OR r.kind = 'ledger.opening-balances' AND r.object_id = w.parent
                           OR r.kind IN ('transfers.undo', 'transfers.receivable') AND r.object_id = w.parent))
                  AND NOT EXISTS (
                    SELECT 1 FROM disposition x
                    WHERE x.payment_id = w.reverses AND x.kind = 'assign' AND x.state = 'posted'
                      AND NOT desk_needs_two(x.currency, x.amount_minor)"""


#: what lies on suspense leaves it by a decision of the desk, or by its return: not by just any payment
NOT_DEBITED = "a_types[d] IN ('opening', 'receivable', 'income', 'expense') THEN 'debtorNeedsTwo'"
DESK_DEBITS = """(a_types[d] IN ('opening', 'receivable', 'income', 'expense')
                              OR a_types[d] = 'suspense' AND NOT (
                                  p_parent_types[i] = 'transfer' AND (
                                      p_purposes[i] LIKE 'disposition-%' AND EXISTS (
                                          SELECT 1 FROM receipt r WHERE r.transfer_id = p_parent_ids[i]
                                          AND r.suspense_account_id = t_debtors[j])
                                      OR p_purposes[i] = 'main' AND EXISTS (
                                          SELECT 1 FROM transfer h WHERE h.id = p_parent_ids[i]
                                          AND h.client_id IS NULL AND h.kind = 'outgoing'
                                          AND h.status = 'awaitingConfirmation' AND h.account_id = t_debtors[j]))))
                         THEN 'debtorNeedsTwo'"""
NOT_AT_ONCE = "x.id = p_debtor AND x.type IN ('opening', 'receivable', 'income', 'expense')"
DESK_AT_ONCE = "x.id = p_debtor AND x.type IN ('opening', 'receivable', 'income', 'expense', 'suspense')"


def _open_the_ledger_to_the_desk() -> None:
    _rewrite("move_money", (ADJUSTING_BEFORE, ADJUSTING_AFTER), (NOT_DEBITED, DESK_DEBITS))
    _rewrite("pay_at_once", (NOT_AT_ONCE, DESK_AT_ONCE))


def _rewrite(function: str, *changes: tuple[str, str]) -> None:
    """Replaces conditions of a function as it stands, whatever a migration before made of the rest."""
    [text] = (
        op.get_bind()
        .execute(sa.text("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = :name"), {"name": function})
        .scalars()
    )
    for before, after in changes:
        if text.count(before) != 1:
            raise RuntimeError(f"{function} no longer reads as this migration expects")
        text = text.replace(before, after)
    op.get_bind().exec_driver_sql(text.replace("%", "%%"))


#: how many units of a currency weigh about as much as one euro: for round first limits, which people then change
WEIGHTS = {"pln": 4, "sek": 10, "nok": 10, "dkk": 7, "cny": 8, "jpy": 150}
#: risk level to euros per transfer, day and month; not set counts as high
LIMITS = {0: (5_000, 10_000, 50_000), 1: (50_000, 100_000, 1_000_000), 2: (15_000, 30_000, 200_000),
          3: (5_000, 10_000, 50_000), 4: (0, 0, 0)}  # fmt: skip
#: type to (cents of a euro, basis points, most cents)
FEES = {"internal": (0, 0, None), "sepa": (25, 0, None), "sepaInstant": (50, 0, None),
        "fasterPayments": (30, 0, None), "swift": (1_000, 10, 10_000)}  # fmt: skip
#: calls for action and other countries that a person looks at first
COUNTRIES = {
    "KP": ("refused", "Call for action of the FATF"), "IR": ("refused", "Call for action of the FATF"),
    "MM": ("review", "Call for action of the FATF"), "RU": ("review", "Restrictive measures of the EU"),
    "BY": ("review", "Restrictive measures of the EU"), "SY": ("review", "Restrictive measures of the EU"),
}  # fmt: skip


def _first_rules() -> None:
    limits, fees, desk = [], [], []
    for currency, decimals in DECIMALS.items():
        unit = WEIGHTS.get(currency, 1) * 10**decimals
        limits += [
            {"risk_level": risk, "currency": currency, "per_transfer_minor": one * unit, "per_day_minor": day * unit,
             "per_month_minor": month * unit}
            for risk, (one, day, month) in LIMITS.items()
        ]  # fmt: skip
        fees += [
            {"type": type, "currency": currency, "fixed_minor": fixed * unit // 100, "basis_points": points,
             "most_minor": most * unit // 100 if most else None}
            for type, (fixed, points, most) in FEES.items()
        ]  # fmt: skip
        desk.append({"currency": currency, "two_people_above_minor": 10_000 * unit})
    for table, columns, rows in (
        ("transfer_limit", "risk_level currency per_transfer_minor per_day_minor per_month_minor", limits),
        ("transfer_fee", "type currency fixed_minor basis_points most_minor", fees),
        ("desk_limit", "currency two_people_above_minor", desk),
        ("transfer_country_rule", "country outcome note",
         [{"country": c, "outcome": o, "note": n} for c, (o, n) in COUNTRIES.items()]),
    ):  # fmt: skip
        op.bulk_insert(sa.table(table, *map(sa.column, columns.split())), rows)
    op.execute("INSERT INTO fx_margin (id, basis_points, changed_at)"
               " VALUES ('00000000-0000-7000-8000-000000000001', 50, now())")  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "calendar_day",
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("working", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.UUID(), nullable=True),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name=op.f("ck_calendar_day_country_is_code")),
        sa.PrimaryKeyConstraint("country", "day", name=op.f("pk_calendar_day")),
    )
    op.create_table(
        "desk_limit",
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("two_people_above_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name=op.f("ck_desk_limit_currency_is_code")),
        sa.CheckConstraint("two_people_above_minor >= 0", name=op.f("ck_desk_limit_not_negative")),
        sa.PrimaryKeyConstraint("currency", name=op.f("pk_desk_limit")),
    )
    op.create_table(
        "fx_rate",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("rate", sa.Numeric(precision=20, scale=10), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("base <> quote", name=op.f("ck_fx_rate_two_currencies")),
        sa.CheckConstraint("rate > 0", name=op.f("ck_fx_rate_rate_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fx_rate")),
        sa.UniqueConstraint("base", "quote", "source", "as_of", name=op.f("uq_fx_rate_base_quote_source_as_of")),
    )
    op.create_index("ix_fx_rate_loaded", "fx_rate", [sa.literal_column("id DESC")], unique=False)
    op.create_index("ix_fx_rate_newest", "fx_rate", ["base", "quote", sa.literal_column("as_of DESC")], unique=False)
    op.create_table(
        "provider",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("key ~ '^[a-z][a-z0-9-]{0,49}$'", name=op.f("ck_provider_key_is_word")),
        sa.CheckConstraint("kind IN ('files', 'sandbox')", name=op.f("ck_provider_kind_known")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_provider")),
    )
    op.create_table(
        "transfer_country_rule",
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("outcome IN ('review', 'refused')", name=op.f("ck_transfer_country_rule_outcome_known")),
        sa.PrimaryKeyConstraint("country", name=op.f("pk_transfer_country_rule")),
    )
    op.create_table(
        "transfer_fee",
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("fixed_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("basis_points", sa.Integer(), server_default="0", nullable=False),
        sa.Column("most_minor", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "type IN ('internal', 'sepa', 'sepaInstant', 'fasterPayments', 'swift')",
            name=op.f("ck_transfer_fee_type_known"),
        ),
        sa.CheckConstraint(
            "fixed_minor >= 0 AND basis_points BETWEEN 0 AND 10000", name=op.f("ck_transfer_fee_fee_in_range")
        ),
        sa.PrimaryKeyConstraint("type", "currency", name=op.f("pk_transfer_fee")),
    )
    op.create_table(
        "transfer_limit",
        sa.Column("risk_level", sa.SmallInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("per_transfer_minor", sa.BigInteger(), nullable=True),
        sa.Column("per_day_minor", sa.BigInteger(), nullable=True),
        sa.Column("per_month_minor", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("risk_level BETWEEN 0 AND 4", name=op.f("ck_transfer_limit_risk_known")),
        sa.PrimaryKeyConstraint("risk_level", "currency", name=op.f("pk_transfer_limit")),
    )
    op.create_table(
        "provider_file",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="reading", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("entries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("direction IN ('in', 'out')", name=op.f("ck_provider_file_direction_known")),
        sa.CheckConstraint("state IN ('reading', 'done', 'failed')", name=op.f("ck_provider_file_state_known")),
        sa.ForeignKeyConstraint(["provider"], ["provider.key"], name=op.f("fk_provider_file_provider")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_file")),
    )
    op.create_index(
        "ix_provider_file_newest",
        "provider_file",
        ["provider", "direction", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "uq_provider_file_content",
        "provider_file",
        ["provider", "direction", "sha256"],
        unique=True,
        postgresql_where=sa.text("state <> 'failed'"),
    )
    op.create_table(
        "provider_route",
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "type IN ('internal', 'sepa', 'sepaInstant', 'fasterPayments', 'swift')",
            name=op.f("ck_provider_route_type_known"),
        ),
        sa.ForeignKeyConstraint(["provider"], ["provider.key"], name=op.f("fk_provider_route_provider")),
        sa.PrimaryKeyConstraint("type", "currency", "provider", name=op.f("pk_provider_route")),
    )
    op.create_table(
        "client_reference",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("reference_key", sa.Text(), nullable=False),
        sa.Column("expected_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "expected_minor IS NULL OR expected_minor > 0", name=op.f("ck_client_reference_expected_positive")
        ),
        sa.CheckConstraint("length(reference_key) BETWEEN 6 AND 35", name=op.f("ck_client_reference_reference_length")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_client_reference_account_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_reference_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_reference")),
    )
    op.create_index(
        "ix_client_reference_client", "client_reference", ["client_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_client_reference_expected",
        "client_reference",
        ["currency", "expected_minor"],
        unique=False,
        postgresql_where=sa.text("expected_minor IS NOT NULL AND revoked_at IS NULL"),
    )
    op.create_index("uq_client_reference_key", "client_reference", ["reference_key"], unique=True)
    op.create_table(
        "fx_margin",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("basis_points", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("basis_points BETWEEN 0 AND 2000", name=op.f("ck_fx_margin_margin_in_range")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_fx_margin_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fx_margin")),
    )
    op.create_index(
        "uq_fx_margin_client",
        "fx_margin",
        [sa.literal_column("coalesce(client_id, '00000000-0000-0000-0000-000000000000')")],
        unique=True,
    )
    op.create_table(
        "fx_quote",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("sell_account_id", sa.UUID(), nullable=False),
        sa.Column("buy_account_id", sa.UUID(), nullable=False),
        sa.Column("sell_currency", sa.Text(), nullable=False),
        sa.Column("sell_minor", sa.BigInteger(), nullable=False),
        sa.Column("buy_currency", sa.Text(), nullable=False),
        sa.Column("buy_minor", sa.BigInteger(), nullable=False),
        sa.Column("rate", sa.Numeric(precision=20, scale=10), nullable=False),
        sa.Column("margin_minor", sa.BigInteger(), nullable=False),
        sa.Column("margin_basis_points", sa.Integer(), nullable=False),
        sa.Column("rate_source", sa.Text(), nullable=False),
        sa.Column("rate_as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("sell_currency ~ '^[a-z]{3}$'", name=op.f("ck_fx_quote_currency_is_code")),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_fx_quote_expires_later")),
        sa.CheckConstraint("margin_minor < sell_minor", name=op.f("ck_fx_quote_margin_below_amount")),
        sa.CheckConstraint("rate > 0", name=op.f("ck_fx_quote_rate_positive")),
        sa.CheckConstraint("sell_currency <> buy_currency", name=op.f("ck_fx_quote_two_currencies")),
        sa.CheckConstraint(
            "sell_minor > 0 AND buy_minor > 0 AND margin_minor >= 0", name=op.f("ck_fx_quote_amounts_positive")
        ),
        sa.ForeignKeyConstraint(["buy_account_id"], ["account.id"], name=op.f("fk_fx_quote_buy_account_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_fx_quote_client_id")),
        sa.ForeignKeyConstraint(["sell_account_id"], ["account.id"], name=op.f("fk_fx_quote_sell_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fx_quote")),
    )
    op.create_index("ix_fx_quote_client", "fx_quote", ["client_id", sa.literal_column("id DESC")], unique=False)
    op.create_table(
        "payer_rule",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("payer_key", sa.Text(), nullable=False),
        sa.Column("payer_name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.Text(), server_default="requested", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name=op.f("ck_payer_rule_ended_has_time")),
        sa.CheckConstraint("state <> 'active' OR approval_id IS NOT NULL", name=op.f("ck_payer_rule_active_by_two")),
        sa.CheckConstraint("state IN ('requested', 'active', 'ended')", name=op.f("ck_payer_rule_state_known")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_payer_rule_account_id")),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_payer_rule_approval_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_payer_rule_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payer_rule")),
    )
    op.create_index("ix_payer_rule_client", "payer_rule", ["client_id", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "uq_payer_rule_live",
        "payer_rule",
        ["payer_key", "currency"],
        unique=True,
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_table(
        "recipient",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("account_format", sa.Text(), nullable=False),
        sa.Column("account_key", sa.Text(), nullable=False),
        sa.Column("bic", sa.Text(), nullable=True),
        sa.Column("bank_name", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("visible", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_kind", sa.Text(), nullable=False),
        sa.Column("created_by_id", sa.UUID(), nullable=True),
        sa.CheckConstraint(
            "account_format IN ('iban', 'sortCode', 'other')", name=op.f("ck_recipient_account_format_known")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_recipient_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipient")),
    )
    op.create_index("ix_recipient_account", "recipient", ["account_key"], unique=False)
    op.create_index("ix_recipient_client", "recipient", ["client_id", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "uq_recipient_account",
        "recipient",
        [sa.literal_column("coalesce(client_id, '00000000-0000-0000-0000-000000000000')"), "account_key", "name_key"],
        unique=True,
    )
    op.create_table(
        "transfer",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("counter_account_id", sa.UUID(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("counter_currency", sa.Text(), nullable=True),
        sa.Column("counter_minor", sa.BigInteger(), nullable=True),
        sa.Column("recipient_id", sa.UUID(), nullable=True),
        sa.Column("counterparty_name", sa.Text(), nullable=True),
        sa.Column("counterparty_account", sa.Text(), nullable=True),
        sa.Column("counterparty_key", sa.Text(), nullable=True),
        sa.Column("counterparty_bic", sa.Text(), nullable=True),
        sa.Column("counterparty_country", sa.Text(), nullable=True),
        sa.Column("remittance", sa.Text(), nullable=True),
        sa.Column("end_to_end_id", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("provider_reference", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.UUID(), nullable=True),
        sa.Column("parent_type", sa.Text(), server_default="transfer", nullable=False),
        sa.Column("related_id", sa.UUID(), nullable=True),
        sa.Column("quote_id", sa.UUID(), nullable=True),
        sa.Column("search_text", sa.Text(), server_default="", nullable=False),
        sa.Column("value_date", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirm_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("maker_kind", sa.Text(), nullable=False),
        sa.Column("maker_id", sa.UUID(), nullable=True),
        sa.Column("maker_name", sa.Text(), nullable=False),
        sa.Column("execute_approval_id", sa.UUID(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(kind = 'foreignExchange') = (counter_minor IS NOT NULL AND counter_currency IS NOT NULL) AND (counter_minor IS NULL OR counter_minor > 0)",
            name=op.f("ck_transfer_exchange_has_two_sides"),
        ),
        sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name=op.f("ck_transfer_currency_is_code")),
        sa.CheckConstraint(
            "kind <> 'foreignExchange' OR quote_id IS NOT NULL", name=op.f("ck_transfer_exchange_has_a_quote")
        ),
        sa.CheckConstraint(
            "kind <> 'incoming' OR status <> 'completed' OR client_id IS NOT NULL",
            name=op.f("ck_transfer_completed_has_a_client"),
        ),
        sa.CheckConstraint("kind IN ('outgoing', 'incoming', 'foreignExchange')", name=op.f("ck_transfer_kind_known")),
        sa.CheckConstraint("parent_type IN ('transfer', 'paymentRequest')", name=op.f("ck_transfer_parent_type_known")),
        sa.CheckConstraint(
            "status IN ('awaitingConfirmation', 'confirmed', 'manualReview', 'submitted', 'unknown', 'unrecognized', 'completed', 'rejected', 'canceled', 'returned', 'reversed')",
            name=op.f("ck_transfer_status_known"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('submitted', 'unknown', 'completed') OR payment_id IS NOT NULL",
            name=op.f("ck_transfer_moved_has_a_payment"),
        ),
        sa.CheckConstraint(
            "type IN ('internal', 'sepa', 'sepaInstant', 'fasterPayments', 'swift')",
            name=op.f("ck_transfer_type_known"),
        ),
        sa.CheckConstraint(
            "amount_minor > 0 AND amount_minor <= 10000000000000000", name=op.f("ck_transfer_amount_in_range")
        ),
        sa.CheckConstraint("fee_minor >= 0", name=op.f("ck_transfer_fee_not_negative")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_transfer_account_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_transfer_client_id")),
        sa.ForeignKeyConstraint(["counter_account_id"], ["account.id"], name=op.f("fk_transfer_counter_account_id")),
        sa.ForeignKeyConstraint(
            ["execute_approval_id"], ["approval_request.id"], name=op.f("fk_transfer_execute_approval_id")
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_transfer_payment_id")),
        sa.ForeignKeyConstraint(["quote_id"], ["fx_quote.id"], name=op.f("fk_transfer_quote_id")),
        sa.ForeignKeyConstraint(["recipient_id"], ["recipient.id"], name=op.f("fk_transfer_recipient_id")),
        sa.ForeignKeyConstraint(["related_id"], ["transfer.id"], name=op.f("fk_transfer_related_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer")),
    )
    op.create_index("ix_transfer_account", "transfer", ["account_id", sa.literal_column("id DESC")], unique=False)
    op.create_index("ix_transfer_client", "transfer", ["client_id", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_transfer_client_confirmed",
        "transfer",
        ["client_id", "currency", "confirmed_at"],
        unique=False,
        postgresql_where=sa.text("kind = 'outgoing' AND confirmed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_transfer_confirm_by",
        "transfer",
        ["confirm_by"],
        unique=False,
        postgresql_where=sa.text("status = 'awaitingConfirmation'"),
    )
    op.create_index(
        "ix_transfer_counter_account",
        "transfer",
        ["counter_account_id", sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("counter_account_id IS NOT NULL"),
    )
    op.create_index(
        "ix_transfer_counterparty",
        "transfer",
        ["counterparty_key", "kind", "client_id", sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("counterparty_key IS NOT NULL"),
    )
    op.create_index("ix_transfer_created_at", "transfer", ["created_at"], unique=False, postgresql_using="brin")
    op.create_index(
        "ix_transfer_currency_amount",
        "transfer",
        ["currency", "amount_minor", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("ix_transfer_kind", "transfer", ["kind", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_transfer_kind_status", "transfer", ["kind", "status", sa.literal_column("id DESC")], unique=False
    )
    op.create_index("ix_transfer_provider", "transfer", ["provider", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_transfer_provider_reference",
        "transfer",
        ["provider_reference"],
        unique=False,
        postgresql_where=sa.text("provider_reference IS NOT NULL"),
    )
    op.create_index(
        "ix_transfer_recipient",
        "transfer",
        ["recipient_id", sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("recipient_id IS NOT NULL"),
    )
    op.create_index(
        "ix_transfer_related",
        "transfer",
        ["related_id"],
        unique=False,
        postgresql_where=sa.text("related_id IS NOT NULL"),
    )
    op.create_index(
        "ix_transfer_search",
        "transfer",
        [sa.literal_column("trigrams(search_text)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index("ix_transfer_status", "transfer", ["status", sa.literal_column("id DESC")], unique=False)
    op.create_index("ix_transfer_type", "transfer", ["type", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "uq_transfer_end_to_end",
        "transfer",
        ["end_to_end_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'outgoing'"),
    )
    op.create_index(
        "ix_transfer_payment",
        "transfer",
        ["payment_id"],
        unique=False,
        postgresql_where=sa.text("payment_id IS NOT NULL"),
    )
    op.create_index(
        "uq_transfer_payment",
        "transfer",
        ["payment_id"],
        unique=True,
        postgresql_where=sa.text("payment_id IS NOT NULL AND kind <> 'incoming'"),
    )
    op.create_index(
        "uq_transfer_quote", "transfer", ["quote_id"], unique=True, postgresql_where=sa.text("quote_id IS NOT NULL")
    )
    op.create_table(
        "provider_message",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("transfer_id", sa.UUID(), nullable=True),
        sa.Column("file_id", sa.UUID(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("direction IN ('in', 'out')", name=op.f("ck_provider_message_direction_known")),
        sa.ForeignKeyConstraint(["file_id"], ["provider_file.id"], name=op.f("fk_provider_message_file_id")),
        sa.ForeignKeyConstraint(["provider"], ["provider.key"], name=op.f("fk_provider_message_provider")),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name=op.f("fk_provider_message_transfer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_message")),
    )
    op.create_index(
        "ix_provider_message_newest",
        "provider_message",
        ["provider", "direction", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_provider_message_reference",
        "provider_message",
        ["reference", "id"],
        unique=False,
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_index(
        "ix_provider_message_transfer",
        "provider_message",
        ["transfer_id", "id"],
        unique=False,
        postgresql_where=sa.text("transfer_id IS NOT NULL"),
    )
    op.create_index(
        "uq_provider_message_digest",
        "provider_message",
        ["provider", "digest"],
        unique=True,
        postgresql_where=sa.text("digest IS NOT NULL"),
    )
    op.create_table(
        "receipt",
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("remaining_minor", sa.BigInteger(), nullable=False),
        sa.Column("suspense_account_id", sa.UUID(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("allocate_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolve_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("warn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("late_reason", sa.Text(), nullable=True),
        sa.Column("keep_until", sa.Date(), nullable=True),
        sa.Column("keep_reason", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(state = 'kept') = (keep_until IS NOT NULL AND keep_reason IS NOT NULL)",
            name=op.f("ck_receipt_kept_says_why_and_until"),
        ),
        sa.CheckConstraint(
            "cause IN ('notRecognized', 'creditFrozen', 'accountClosed', 'otherCurrency', 'undone')",
            name=op.f("ck_receipt_cause_known"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'asked', 'kept', 'waiting', 'assigned', 'returned', 'reversed')",
            name=op.f("ck_receipt_state_known"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('assigned', 'returned', 'reversed') OR remaining_minor = 0",
            name=op.f("ck_receipt_settled_is_empty"),
        ),
        sa.CheckConstraint(
            "allocate_by <= resolve_by AND warn_at <= resolve_by", name=op.f("ck_receipt_clocks_in_order")
        ),
        sa.CheckConstraint("remaining_minor BETWEEN 0 AND amount_minor", name=op.f("ck_receipt_remaining_in_range")),
        sa.ForeignKeyConstraint(["suspense_account_id"], ["account.id"], name=op.f("fk_receipt_suspense_account_id")),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name=op.f("fk_receipt_transfer_id")),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_receipt")),
    )
    op.create_index(
        "ix_receipt_desk",
        "receipt",
        ["allocate_by", sa.literal_column("amount_minor DESC"), "transfer_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('open', 'asked', 'kept', 'waiting')"),
    )
    op.create_index(
        "ix_receipt_resolve",
        "receipt",
        ["resolve_by"],
        unique=False,
        postgresql_where=sa.text("state IN ('open', 'asked', 'kept', 'waiting')"),
    )
    op.create_index(
        "ix_receipt_settled",
        "receipt",
        ["settled_at"],
        unique=False,
        postgresql_where=sa.text("settled_at IS NOT NULL"),
    )
    op.create_table(
        "submission",
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease", sa.UUID(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("file_id", sa.UUID(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(state = 'sending') = (lease IS NOT NULL)", name=op.f("ck_submission_sending_has_lease")),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'sent', 'unknown', 'settled', 'stopped')",
            name=op.f("ck_submission_state_known"),
        ),
        sa.ForeignKeyConstraint(["file_id"], ["provider_file.id"], name=op.f("fk_submission_file_id")),
        sa.ForeignKeyConstraint(["provider"], ["provider.key"], name=op.f("fk_submission_provider")),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name=op.f("fk_submission_transfer_id")),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_submission")),
    )
    op.create_index(
        "ix_submission_due",
        "submission",
        ["provider", "next_at", "transfer_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'sending', 'sent', 'unknown')"),
    )
    op.create_table(
        "transfer_check",
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.Column("round", sa.SmallInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("limit_minor", sa.BigInteger(), nullable=True),
        sa.Column("measured_minor", sa.BigInteger(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "code IN ('clientActive', 'accountNotFrozen', 'funds', 'limitPerTransfer', 'limitPerDay', 'limitPerMonth', 'recipientCountry', 'duplicate', 'payerData')",
            name=op.f("ck_transfer_check_code_known"),
        ),
        sa.CheckConstraint("outcome IN ('passed', 'review', 'refused')", name=op.f("ck_transfer_check_outcome_known")),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name=op.f("fk_transfer_check_transfer_id")),
        sa.PrimaryKeyConstraint("transfer_id", "round", "code", name=op.f("pk_transfer_check")),
    )
    op.create_table(
        "transfer_document",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_transfer_document_client_id")),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name=op.f("fk_transfer_document_transfer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer_document")),
        sa.UniqueConstraint("file_name", name=op.f("uq_transfer_document_file_name")),
    )
    op.create_index(
        "ix_transfer_document_client",
        "transfer_document",
        ["client_id", sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("client_id IS NOT NULL"),
    )
    op.create_index(
        "ix_transfer_document_transfer",
        "transfer_document",
        ["transfer_id", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "transfer_status_change",
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("from_status", sa.Text(), nullable=True),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("by_kind", sa.Text(), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=True),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "to_status IN ('awaitingConfirmation', 'confirmed', 'manualReview', 'submitted', 'unknown', 'unrecognized', 'completed', 'rejected', 'canceled', 'returned', 'reversed')",
            name=op.f("ck_transfer_status_change_to_status_known"),
        ),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name=op.f("fk_transfer_status_change_transfer_id")),
        sa.PrimaryKeyConstraint("transfer_id", "position", name=op.f("pk_transfer_status_change")),
    )
    op.create_table(
        "disposition",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("account_id", sa.UUID(), nullable=True),
        sa.Column("fee_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("fee_bearer", sa.Text(), nullable=True),
        sa.Column("return_transfer_id", sa.UUID(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("rule_id", sa.UUID(), nullable=True),
        sa.Column("shown", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rules_version", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.UUID(), nullable=True),
        sa.Column("approval_id", sa.UUID(), nullable=True),
        sa.Column("undo_payment_id", sa.UUID(), nullable=True),
        sa.Column("undo_approval_id", sa.UUID(), nullable=True),
        sa.Column("undo_reason", sa.Text(), nullable=True),
        sa.Column("receivable_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by_kind", sa.Text(), nullable=False),
        sa.Column("made_by_id", sa.UUID(), nullable=True),
        sa.Column("made_by_name", sa.Text(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(kind = 'assign') = (account_id IS NOT NULL AND client_id IS NOT NULL)",
            name=op.f("ck_disposition_assign_names_an_account"),
        ),
        sa.CheckConstraint("fee_bearer IN ('payer', 'house')", name=op.f("ck_disposition_fee_bearer_known")),
        sa.CheckConstraint("kind IN ('assign', 'return')", name=op.f("ck_disposition_kind_known")),
        sa.CheckConstraint(
            "state <> 'undone' OR undo_payment_id IS NOT NULL", name=op.f("ck_disposition_undone_has_a_payment")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'posted', 'undone', 'dropped', 'failed')", name=op.f("ck_disposition_state_known")
        ),
        sa.CheckConstraint(
            "state NOT IN ('posted', 'undone') OR payment_id IS NOT NULL",
            name=op.f("ck_disposition_posted_has_a_payment"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_disposition_amount_positive")),
        sa.CheckConstraint("fee_minor >= 0 AND receivable_minor >= 0", name=op.f("ck_disposition_not_negative")),
        sa.CheckConstraint(
            "receivable_minor = 0 OR undo_approval_id IS NOT NULL", name=op.f("ck_disposition_receivable_by_two")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_disposition_account_id")),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_disposition_approval_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_disposition_client_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_disposition_payment_id")),
        sa.ForeignKeyConstraint(
            ["return_transfer_id"], ["transfer.id"], name=op.f("fk_disposition_return_transfer_id")
        ),
        sa.ForeignKeyConstraint(["rule_id"], ["payer_rule.id"], name=op.f("fk_disposition_rule_id")),
        sa.ForeignKeyConstraint(["transfer_id"], ["receipt.transfer_id"], name=op.f("fk_disposition_transfer_id")),
        sa.ForeignKeyConstraint(
            ["undo_approval_id"], ["approval_request.id"], name=op.f("fk_disposition_undo_approval_id")
        ),
        sa.ForeignKeyConstraint(["undo_payment_id"], ["payment.id"], name=op.f("fk_disposition_undo_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disposition")),
    )
    op.create_index(
        "ix_disposition_payment",
        "disposition",
        ["payment_id"],
        unique=False,
        postgresql_where=sa.text("payment_id IS NOT NULL"),
    )
    op.create_index("ix_disposition_client", "disposition", ["client_id", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_disposition_return_transfer",
        "disposition",
        ["return_transfer_id"],
        unique=False,
        postgresql_where=sa.text("return_transfer_id IS NOT NULL"),
    )
    op.create_index(
        "uq_disposition_live",
        "disposition",
        ["transfer_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('waiting', 'posted')"),
    )
    op.create_index("uq_disposition_number", "disposition", ["transfer_id", "number"], unique=True)
    op.create_table(
        "incoming_request",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_reference", sa.Text(), nullable=False),
        sa.Column("reversal", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("message_id", sa.UUID(), nullable=True),
        sa.Column("bank_account_id", sa.UUID(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("creditor_account", sa.Text(), nullable=True),
        sa.Column("creditor_name", sa.Text(), nullable=True),
        sa.Column("debtor_name", sa.Text(), nullable=True),
        sa.Column("debtor_account", sa.Text(), nullable=True),
        sa.Column("debtor_bic", sa.Text(), nullable=True),
        sa.Column("debtor_country", sa.Text(), nullable=True),
        sa.Column("remittance", sa.Text(), nullable=True),
        sa.Column("end_to_end_id", sa.Text(), nullable=True),
        sa.Column("returns", sa.Text(), nullable=True),
        sa.Column("bank_references", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value_date", sa.Date(), nullable=True),
        sa.Column("missing_data", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("search_text", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="received", nullable=False),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("transfer_id", sa.UUID(), nullable=True),
        sa.Column("linked_id", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'failed') = (failure_code IS NOT NULL)", name=op.f("ck_incoming_request_failed_says_why")
        ),
        sa.CheckConstraint(
            "(state = 'linked') = (linked_id IS NOT NULL)", name=op.f("ck_incoming_request_linked_names_the_first")
        ),
        sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name=op.f("ck_incoming_request_currency_is_code")),
        sa.CheckConstraint(
            "state <> 'processed' OR transfer_id IS NOT NULL", name=op.f("ck_incoming_request_processed_has_a_transfer")
        ),
        sa.CheckConstraint(
            "state IN ('received', 'processed', 'linked', 'failed', 'waiting')",
            name=op.f("ck_incoming_request_state_known"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_incoming_request_amount_positive")),
        sa.ForeignKeyConstraint(
            ["bank_account_id"], ["bank_account.id"], name=op.f("fk_incoming_request_bank_account_id")
        ),
        sa.ForeignKeyConstraint(["linked_id"], ["incoming_request.id"], name=op.f("fk_incoming_request_linked_id")),
        sa.ForeignKeyConstraint(["message_id"], ["provider_message.id"], name=op.f("fk_incoming_request_message_id")),
        sa.ForeignKeyConstraint(["provider"], ["provider.key"], name=op.f("fk_incoming_request_provider")),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name=op.f("fk_incoming_request_transfer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incoming_request")),
    )
    op.create_index(
        "ix_incoming_request_credit",
        "incoming_request",
        ["bank_account_id", "currency", "amount_minor", "booked_at"],
        unique=False,
    )
    op.create_index("ix_incoming_request_newest", "incoming_request", [sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_incoming_request_provider", "incoming_request", ["provider", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_incoming_request_references", "incoming_request", ["bank_references"], unique=False, postgresql_using="gin"
    )
    op.create_index(
        "ix_incoming_request_state", "incoming_request", ["state", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_incoming_request_transfer",
        "incoming_request",
        ["transfer_id"],
        unique=False,
        postgresql_where=sa.text("transfer_id IS NOT NULL"),
    )
    op.create_index(
        "ix_incoming_request_waiting",
        "incoming_request",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'received'"),
    )
    op.create_index(
        "uq_incoming_request_reference", "incoming_request", ["provider", "provider_reference", "reversal"], unique=True
    )
    op.create_index(
        "uq_incoming_request_transfer",
        "incoming_request",
        ["transfer_id"],
        unique=True,
        postgresql_where=sa.text("transfer_id IS NOT NULL AND state = 'processed' AND NOT reversal"),
    )
    op.create_index(
        "uq_incoming_request_reversal",
        "incoming_request",
        ["transfer_id"],
        unique=True,
        postgresql_where=sa.text("transfer_id IS NOT NULL AND state = 'processed' AND reversal"),
    )
    op.create_index(
        "ix_incoming_request_search",
        "incoming_request",
        [sa.literal_column("trigrams(search_text)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "ix_incoming_request_source", "incoming_request", ["source", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_incoming_request_early",
        "incoming_request",
        ["bank_account_id", "currency", "amount_minor"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "incoming_correction",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("request_id", sa.UUID(), nullable=False),
        sa.Column("fields", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_kind", sa.Text(), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=True),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["incoming_request.id"], name=op.f("fk_incoming_correction_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incoming_correction")),
    )
    op.create_index("ix_incoming_correction_request", "incoming_correction", ["request_id", "id"], unique=False)
    op.create_table(
        "incoming_link",
        sa.Column("request_id", sa.UUID(), nullable=False),
        sa.Column("first_id", sa.UUID(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("part", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["first_id"], ["incoming_request.id"], name=op.f("fk_incoming_link_first_id")),
        sa.ForeignKeyConstraint(["request_id"], ["incoming_request.id"], name=op.f("fk_incoming_link_request_id")),
        sa.PrimaryKeyConstraint("request_id", "first_id", name=op.f("pk_incoming_link")),
    )
    op.create_index("ix_incoming_link_first", "incoming_link", ["first_id"], unique=False)
    op.create_index(
        "uq_incoming_link_source",
        "incoming_link",
        ["first_id", "source"],
        unique=True,
        postgresql_where=sa.text("NOT part"),
    )
    op.create_table(
        "receipt_event",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_kind", sa.Text(), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=True),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('attempt', 'note', 'question', 'reply', 'kept', 'reopened', 'decision', 'undone', 'late')",
            name=op.f("ck_receipt_event_kind_known"),
        ),
        sa.ForeignKeyConstraint(["transfer_id"], ["receipt.transfer_id"], name=op.f("fk_receipt_event_transfer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt_event")),
    )
    op.create_index("ix_receipt_event_transfer", "receipt_event", ["transfer_id", "id"], unique=False)
    op.create_table(
        "receipt_file",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=True),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.CheckConstraint("size BETWEEN 1 AND 5242880", name=op.f("ck_receipt_file_size_in_range")),
        sa.ForeignKeyConstraint(["transfer_id"], ["receipt.transfer_id"], name=op.f("fk_receipt_file_transfer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt_file")),
    )
    op.create_index("ix_receipt_file_transfer", "receipt_file", ["transfer_id", "id"], unique=False)
    op.create_table(
        "screening",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.Column("list_name", sa.Text(), nullable=False),
        sa.Column("list_version", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_kind", sa.Text(), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=True),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.CheckConstraint("result IN ('clear', 'falsePositive', 'hit')", name=op.f("ck_screening_result_known")),
        sa.ForeignKeyConstraint(["transfer_id"], ["receipt.transfer_id"], name=op.f("fk_screening_transfer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_screening")),
    )
    op.create_index("ix_screening_transfer", "screening", ["transfer_id", "id"], unique=False)

    for table in (
        "transfer_status_change", "transfer_check", "transfer_document", "provider_message", "receipt_event",
        "receipt_file", "screening", "fx_rate", "fx_quote", "incoming_correction", "incoming_link",
    ):  # fmt: skip
        append_only(table)
    for table in (
        "transfer", "recipient", "client_reference", "provider", "provider_file", "submission", "incoming_request",
        "receipt", "disposition", "payer_rule",
    ):  # fmt: skip
        never_deleted(table)
    for statement in (
        TRANSFER_GUARD, HOUSE_ONLY_RETURNS, PAYMENT_AGREES, RECEIPT_GUARDS, DISPOSITION_GUARD, PAYER_RULE_GUARD, INCOMING_GUARD,
    ):  # fmt: skip
        op.execute(statement)
    _open_the_ledger_to_the_desk()
    _first_rules()

    grant(
        "SELECT, INSERT",
        (
            "transfer_status_change", "transfer_check", "transfer_document", "provider_message", "receipt_event",
            "receipt_file", "screening", "fx_rate", "fx_quote", "incoming_correction", "incoming_link",
        ),
    )  # fmt: skip
    grant(
        "SELECT, INSERT, UPDATE",
        (
            "transfer", "provider", "provider_file", "disposition", "payer_rule",
        ),
    )  # fmt: skip
    # where money goes to, and what the bank told, is written once
    grant("SELECT, INSERT, UPDATE (visible)", ("recipient",))
    grant("SELECT, INSERT, UPDATE (revoked_at)", ("client_reference",))
    grant(
        "SELECT, INSERT, UPDATE (state, attempts, next_at, lease, lease_until, file_id, sent_at, last_error)",
        ("submission",),
    )
    grant(
        "SELECT, INSERT, UPDATE (currency, amount_minor, bank_account_id, creditor_account, remittance, search_text,"
        " state, failure_code, failure, attempts, transfer_id, linked_id, processed_at)",
        ("incoming_request",),
    )
    grant(
        "SELECT, INSERT, UPDATE (remaining_minor, cause, state, settled_at, late_reason, keep_until, keep_reason,"
        " asked_at, version)",
        ("receipt",),
    )
    grant("SELECT, INSERT, UPDATE, DELETE", ("calendar_day", "provider_route", "fx_margin"))
    # changed by people once the rules have their own four eyes; until then by the owner of the tables
    grant("SELECT", ("transfer_limit", "transfer_fee", "transfer_country_rule", "desk_limit"))
