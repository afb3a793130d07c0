"""What covers clients' money beside the bank, which part of an excess is the house's own, lines that nothing matches,
and which pool a client account belonged to when a day was prepared."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guards import append_only, grant, never_deleted

revision = "0024"
down_revision = "0023"

POOLS = "pool IN ('eMoney', 'paymentServices')"
CURRENCY = "currency ~ '^[a-z]{3}$'"
KINDS = "kind IN ('secureAssets', 'guarantee', 'insurance')"

#: a row says what two people approved, word for word; what it covers never changes: another amount is another entry
COVER_GUARD = """
CREATE FUNCTION treasury_cover_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.version <> (CASE TG_OP WHEN 'UPDATE' THEN OLD.version + 1 ELSE 1 END) THEN
        RAISE EXCEPTION 'versions of a cover count up'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_cover_versions_count_up';
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.pool, NEW.currency, NEW.kind, NEW.issuer, NEW.reference, NEW.amount_minor,
            NEW.valid_from)
        IS DISTINCT FROM (OLD.id, OLD.pool, OLD.currency, OLD.kind, OLD.issuer, OLD.reference, OLD.amount_minor,
            OLD.valid_from) THEN
        RAISE EXCEPTION 'what a cover is, and how much, never changes: it ends, and another one begins'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_cover_is_as_added';
    END IF;
    IF TG_OP = 'INSERT' AND NEW.approval_id IS NULL AND by_the_owner(TG_RELID) THEN
        RETURN NEW;
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = NEW.approval_id AND r.state = 'approved' AND r.object_id = NEW.id
          AND r.decided_by IS NOT NULL AND r.decided_by IS DISTINCT FROM r.maker_id
          AND r.kind = (CASE TG_OP WHEN 'INSERT' THEN 'treasury.cover.add' ELSE 'treasury.cover.change' END)
          AND r.payload -> 'cover' = jsonb_build_object(
              'pool', NEW.pool, 'currency', NEW.currency, 'kind', NEW.kind, 'issuer', NEW.issuer,
              'reference', NEW.reference, 'amountMinor', NEW.amount_minor, 'validFrom', NEW.valid_from,
              'validTo', NEW.valid_to, 'reviewOn', NEW.review_on)
    ) THEN
        RAISE EXCEPTION 'a cover is added and changed by an approved request, to exactly what was approved'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_cover_changed_by_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER treasury_cover_guard BEFORE INSERT OR UPDATE ON treasury_cover
    FOR EACH ROW EXECUTE FUNCTION treasury_cover_guard();
CREATE FUNCTION treasury_cover_keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO treasury_cover_version (cover_id, version, pool, currency, kind, issuer, reference, amount_minor,
        valid_from, valid_to, review_on, changed_at, approval_id)
    VALUES (NEW.id, NEW.version, NEW.pool, NEW.currency, NEW.kind, NEW.issuer, NEW.reference, NEW.amount_minor,
        NEW.valid_from, NEW.valid_to, NEW.review_on, NEW.changed_at, NEW.approval_id);
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION treasury_cover_keep() FROM PUBLIC;
CREATE TRIGGER treasury_cover_keep AFTER INSERT OR UPDATE ON treasury_cover
    FOR EACH ROW EXECUTE FUNCTION treasury_cover_keep();
"""

#: rows of a position that is frozen stay, and a cover counts where and while it stands
POSITION_ROWS = """
CREATE FUNCTION position_cover_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM treasury_day d
        JOIN treasury_cover_version v ON v.cover_id = NEW.cover_id AND v.version = NEW.version
        WHERE d.id = NEW.treasury_day_id AND v.pool = d.pool AND v.currency = d.currency
          AND v.amount_minor = NEW.amount_minor AND d.day >= v.valid_from
          AND (v.valid_to IS NULL OR d.day <= v.valid_to)
    ) THEN
        RAISE EXCEPTION 'a cover counts for its pool and currency while it is valid, with its amount'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'position_cover_is_valid';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER position_cover_is_valid BEFORE INSERT ON position_cover
    FOR EACH ROW EXECUTE FUNCTION position_cover_guard();
CREATE TRIGGER position_cover_is_frozen BEFORE INSERT OR UPDATE OR DELETE ON position_cover
    FOR EACH ROW EXECUTE FUNCTION treasury_position_guard();
CREATE TRIGGER position_cover_is_never_emptied BEFORE TRUNCATE ON position_cover
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER position_frozen_is_frozen BEFORE INSERT OR UPDATE OR DELETE ON position_frozen
    FOR EACH ROW EXECUTE FUNCTION treasury_position_guard();
CREATE TRIGGER position_frozen_is_never_emptied BEFORE TRUNCATE ON position_frozen
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION treasury_position_rows() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.other_minor <> coalesce((SELECT sum(c.amount_minor) FROM position_cover c
                                    WHERE c.treasury_day_id = NEW.treasury_day_id), 0) THEN
        RAISE EXCEPTION 'what is safeguarded otherwise is the sum of its rows'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_position_other_is_its_rows';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER treasury_position_other_is_its_rows BEFORE INSERT OR UPDATE ON treasury_position
    FOR EACH ROW WHEN (NEW.frozen_at IS NOT NULL) EXECUTE FUNCTION treasury_position_rows();
"""

#: which pool an account belonged to, and since when
POOL_KEEPING = """
INSERT INTO account_pool_version (account_id, since, pool, approval_id)
SELECT account_id, since, pool, approval_id FROM account_pool;
INSERT INTO account_pool_version (account_id, since, pool, approval_id)
SELECT r.object_id, r.closed_at, r.payload ->> 'pool', r.id FROM approval_request r
JOIN account_pool p ON p.account_id = r.object_id AND p.approval_id IS DISTINCT FROM r.id
WHERE r.kind = 'treasury.account.pool' AND r.state = 'approved' AND r.closed_at < p.since
ON CONFLICT DO NOTHING;
-- laid down with the installation, and put elsewhere since
INSERT INTO account_pool_version (account_id, since, pool, approval_id)
SELECT f.account_id, a.created_at, 'paymentServices', NULL FROM (
    SELECT DISTINCT ON (r.object_id) r.object_id AS account_id, r.before ->> 'Pool' AS stood FROM approval_request r
    WHERE r.kind = 'treasury.account.pool' AND r.state = 'approved' ORDER BY r.object_id, r.closed_at
) AS f JOIN account a ON a.id = f.account_id WHERE f.stood = 'Payment services'
ON CONFLICT DO NOTHING;
CREATE FUNCTION account_pool_keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO account_pool_version (account_id, since, pool, approval_id)
    VALUES (NEW.account_id, NEW.since, NEW.pool, NEW.approval_id);
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION account_pool_keep() FROM PUBLIC;
CREATE TRIGGER account_pool_keep AFTER INSERT OR UPDATE ON account_pool
    FOR EACH ROW EXECUTE FUNCTION account_pool_keep();
"""


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _said() -> list[sa.Column[object]]:
    return [
        _text("pool"), _text("currency"), _text("kind"), _text("issuer"), _text("reference"),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("review_on", sa.Date(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=True),
    ]  # type: ignore[list-item]  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "treasury_cover",
        sa.Column("id", sa.UUID(), nullable=False),
        *_said(),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(POOLS, name=op.f("ck_treasury_cover_pool_known")),
        sa.CheckConstraint(CURRENCY, name=op.f("ck_treasury_cover_currency_is_code")),
        sa.CheckConstraint(KINDS, name=op.f("ck_treasury_cover_kind_known")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_treasury_cover_amount_positive")),
        sa.CheckConstraint("valid_to >= valid_from", name=op.f("ck_treasury_cover_valid_in_order")),
        sa.CheckConstraint(
            "kind = 'secureAssets' OR valid_to IS NOT NULL", name=op.f("ck_treasury_cover_promise_has_an_end")
        ),
        sa.CheckConstraint(
            "length(btrim(issuer)) BETWEEN 1 AND 100 AND length(btrim(reference)) BETWEEN 1 AND 100",
            name=op.f("ck_treasury_cover_issuer_and_reference"),
        ),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_treasury_cover_approval_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treasury_cover")),
    )
    op.create_index(
        "uq_treasury_cover_reference", "treasury_cover", ["currency", "kind", "issuer", "reference", "valid_from"],
        unique=True,
    )  # fmt: skip
    op.create_table(
        "treasury_cover_version",
        sa.Column("cover_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *_said(),
        sa.ForeignKeyConstraint(["cover_id"], ["treasury_cover.id"], name=op.f("fk_treasury_cover_version_cover_id")),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approval_request.id"], name=op.f("fk_treasury_cover_version_approval_id")
        ),
        sa.PrimaryKeyConstraint("cover_id", "version", name=op.f("pk_treasury_cover_version")),
    )
    # a request is used once
    op.create_index("uq_treasury_cover_version_approval", "treasury_cover_version", ["approval_id"], unique=True)
    op.create_table(
        "position_cover",
        sa.Column("treasury_day_id", sa.UUID(), nullable=False),
        sa.Column("cover_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["treasury_day_id"], ["treasury_position.treasury_day_id"], name=op.f("fk_position_cover_treasury_day_id")
        ),
        sa.ForeignKeyConstraint(
            ["cover_id", "version"],
            ["treasury_cover_version.cover_id", "treasury_cover_version.version"],
            name=op.f("fk_position_cover_cover_id"),
        ),
        sa.PrimaryKeyConstraint("treasury_day_id", "cover_id", name=op.f("pk_position_cover")),
    )
    op.create_table(
        "position_frozen",
        sa.Column("treasury_day_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_position_frozen_amount_positive")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_position_frozen_account_id")),
        sa.ForeignKeyConstraint(
            ["treasury_day_id"], ["treasury_position.treasury_day_id"], name=op.f("fk_position_frozen_treasury_day_id")
        ),
        sa.PrimaryKeyConstraint("treasury_day_id", "account_id", name=op.f("pk_position_frozen")),
    )
    op.create_table(
        "account_pool_version",
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        _text("pool"),
        sa.Column("approval_id", sa.UUID(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_account_pool_version_account_id")),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approval_request.id"], name=op.f("fk_account_pool_version_approval_id")
        ),
        sa.PrimaryKeyConstraint("account_id", "since", name=op.f("pk_account_pool_version")),
    )
    op.create_index("ix_account_pool_version_pool", "account_pool_version", ["pool", "account_id"])

    # what was prepared before counted bank accounts alone
    op.add_column(
        "treasury_position", sa.Column("other_minor", sa.BigInteger(), server_default="0", nullable=False)
    )  # fmt: skip
    for column in ("fees_minor", "income_minor", "own_minor", "fx_minor", "receivable_minor"):
        op.add_column("treasury_position", sa.Column(column, sa.BigInteger(), nullable=True))
    op.create_check_constraint(op.f("ck_treasury_position_other_not_negative"), "treasury_position", "other_minor >= 0")
    op.create_check_constraint(
        op.f("ck_treasury_position_house_known_together"), "treasury_position",
        "num_nonnulls(fees_minor, income_minor, own_minor, fx_minor, receivable_minor) IN (0, 5)",
    )  # fmt: skip
    op.add_column("position_account", sa.Column("unmatched", sa.Integer(), nullable=True))
    op.add_column("position_account", sa.Column("unmatched_minor", sa.BigInteger(), nullable=True))
    op.add_column("position_account", sa.Column("unmatched_since", sa.Date(), nullable=True))
    op.create_check_constraint(
        op.f("ck_position_account_unmatched_has_all"), "position_account",
        "(unmatched IS NULL) = (unmatched_minor IS NULL) AND (coalesce(unmatched, 0) > 0) = (unmatched_since IS NOT NULL)",
    )  # fmt: skip
    op.drop_constraint(op.f("ck_position_item_figure_known"), "position_item", type_="check")
    op.create_check_constraint(
        op.f("ck_position_item_figure_known"), "position_item", "figure IN ('received', 'sent', 'unmatched')"
    )

    op.execute(COVER_GUARD)
    op.execute(POSITION_ROWS)
    op.execute(POOL_KEEPING)
    for table in ("treasury_cover_version", "account_pool_version"):
        append_only(table)
    never_deleted("treasury_cover")
    grant("SELECT, INSERT, UPDATE", ("treasury_cover",))
    grant("SELECT", ("treasury_cover_version", "account_pool_version"))
    grant("SELECT, INSERT, DELETE", ("position_cover",))
    grant("SELECT, INSERT", ("position_frozen",))
