"""Statements: what was imported stays as it came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

#: what of an entry and of a line is the bank's word
ENTRY = (
    "statement_id", "bank_account_id", "number", "currency", "amount_minor", "status", "reversal", "booking_date",
    "value_date", "fingerprint", "referenced", "bank_reference", "batch_reference", "code", "text",
)  # fmt: skip
LINE = (
    "entry_id", "bank_account_id", "position", "currency", "amount_minor", "booking_date", "value_date",
    "end_to_end_id", "provider_reference", "batch_reference", "bank_references", "counterparty",
    "counterparty_account", "remittance",
)  # fmt: skip
#: states of an import in which its rows are still being written, and in which they may go
WRITTEN, GONE = "'preview'", "'preview', 'failed', 'deleted'"


def upgrade() -> None:
    op.add_column("statement_import", sa.Column("bank_account_id", sa.UUID(), nullable=True))
    op.create_foreign_key(
        op.f("fk_statement_import_bank_account_id"), "statement_import", "bank_account", ["bank_account_id"], ["id"]
    )
    op.add_column("statement_import", sa.Column("read_items", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("statement_import", sa.Column("read_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("uq_statement_import_file", table_name="statement_import")
    # a file of which something was refused may come again: what was refused may be known by then
    op.create_index(
        "uq_statement_import_file",
        "statement_import",
        ["sha256"],
        unique=True,
        postgresql_where=sa.text("state IN ('importing', 'imported') AND refused = 0"),
    )
    op.add_column("statement", sa.Column("place", sa.Integer(), server_default="1", nullable=False))
    op.add_column("statement", sa.Column("page", sa.Integer(), nullable=True))
    op.drop_index("ix_statement_import", table_name="statement")
    op.create_index("uq_statement_place", "statement", ["import_id", "place"], unique=True)
    op.add_column("statement_entry", sa.Column("fingerprint", sa.UUID(), nullable=False))
    op.add_column(
        "statement_entry", sa.Column("referenced", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_index(
        "uq_statement_entry_standing",
        "statement_entry",
        ["bank_account_id", "key"],
        unique=True,
        postgresql_where=sa.text("standing"),
    )
    op.create_index("ix_statement_entry_fingerprint", "statement_entry", ["bank_account_id", "fingerprint"])
    _imports()
    _statements()
    _rows("statement_entry", "SELECT s.import_id FROM statement s WHERE s.id = {row}.statement_id", ENTRY)
    _rows(
        "statement_line",
        "SELECT s.import_id FROM statement_entry e JOIN statement s ON s.id = e.statement_id WHERE e.id = {row}.entry_id",
        LINE,
    )
    for table in ("statement", "statement_entry", "statement_line", "csv_mapping"):
        op.execute(
            f"CREATE TRIGGER {table}_is_not_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER csv_mapping_is_not_changed BEFORE UPDATE ON csv_mapping"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _refuses(name: str, body: str, returns: str = "RETURN NULL;") -> None:
    op.execute(
        f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
            SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
            {body}
            {returns}
        END $$
        """
    )


def _raise(says: str) -> str:
    return f"RAISE EXCEPTION '{says}' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;"


def _imports() -> None:
    """The file of an import is what it was, and its state goes forwards only."""
    _refuses(
        "statement_import_goes_forward",
        f"""
            IF (NEW.id, NEW.file_name, NEW.sha256, NEW.size, NEW.source, NEW.created_at, NEW.created_by)
                IS DISTINCT FROM
               (OLD.id, OLD.file_name, OLD.sha256, OLD.size, OLD.source, OLD.created_at, OLD.created_by) THEN
                {_raise("an import is of the file it was made for")}
            END IF;
            IF NEW.state <> OLD.state AND NOT (
                (OLD.state = 'preview' AND NEW.state IN ('importing', 'imported', 'failed', 'deleted'))
                OR (OLD.state = 'importing' AND NEW.state IN ('imported', 'failed', 'deleted'))
                OR (OLD.state = 'imported' AND NEW.state = 'deleted')
            ) THEN
                {_raise("an import goes from preview to imported to deleted")}
            END IF;
            IF OLD.state NOT IN ({WRITTEN}) AND (NEW.entries, NEW.statements, NEW.refused, NEW.failures)
                IS DISTINCT FROM (OLD.entries, OLD.statements, OLD.refused, OLD.failures) THEN
                {_raise("what an import held is known once it is committed")}
            END IF;
        """,
        "RETURN NEW;",
    )
    op.execute(
        "CREATE TRIGGER statement_import_goes_forward BEFORE UPDATE ON statement_import"
        " FOR EACH ROW EXECUTE FUNCTION statement_import_goes_forward()"
    )


def _statements() -> None:
    """A statement is written while its import is a preview; afterwards it only begins to count, and stops to."""
    _refuses(
        "statement_stays_as_it_came",
        f"""
            IF TG_OP = 'DELETE' THEN
                IF (SELECT state FROM statement_import WHERE id = OLD.import_id) NOT IN ({GONE}) THEN
                    {_raise("an imported statement is deleted with its import only")}
                END IF;
                RETURN OLD;
            END IF;
            IF TG_OP = 'INSERT' THEN
                IF NEW.standing OR (SELECT state FROM statement_import WHERE id = NEW.import_id) NOT IN ({WRITTEN}) THEN
                    {_raise("a statement is written while its import is a preview")}
                END IF;
                RETURN NEW;
            END IF;
            IF (NEW.id, NEW.import_id, NEW.place, NEW.bank_account_id, NEW.currency, NEW.kind)
                IS DISTINCT FROM (OLD.id, OLD.import_id, OLD.place, OLD.bank_account_id, OLD.currency, OLD.kind)
               OR ((SELECT state FROM statement_import WHERE id = OLD.import_id) NOT IN ({WRITTEN})
                   AND (NEW.bank_id, NEW.sequence, NEW.page, NEW.key, NEW.first_day, NEW.last_day, NEW.opening_minor,
                        NEW.closing_minor, NEW.booked_minor, NEW.entries, NEW.tie_out, NEW.remarks)
                       IS DISTINCT FROM
                       (OLD.bank_id, OLD.sequence, OLD.page, OLD.key, OLD.first_day, OLD.last_day, OLD.opening_minor,
                        OLD.closing_minor, OLD.booked_minor, OLD.entries, OLD.tie_out, OLD.remarks)) THEN
                {_raise("an imported statement stays as it came")}
            END IF;
            IF NEW.standing AND NOT OLD.standing AND
               (SELECT state FROM statement_import WHERE id = NEW.import_id) NOT IN ('importing', 'imported') THEN
                {_raise("a statement counts when its import is committed")}
            END IF;
            IF OLD.standing AND NOT NEW.standing
               AND (SELECT state FROM statement_import WHERE id = NEW.import_id) <> 'deleted'
               AND NOT EXISTS (
                   SELECT FROM statement o JOIN statement_import i ON i.id = o.import_id
                   WHERE o.bank_account_id = OLD.bank_account_id AND o.key = OLD.key AND o.id <> OLD.id
                     AND i.state IN ('importing', 'imported')
               ) THEN
                {_raise("a statement counts until its import is deleted, or another tells it better")}
            END IF;
        """,
        "RETURN NEW;",
    )
    op.execute(
        "CREATE TRIGGER statement_stays_as_it_came BEFORE INSERT OR UPDATE OR DELETE ON statement"
        " FOR EACH ROW EXECUTE FUNCTION statement_stays_as_it_came()"
    )


def _rows(table: str, import_of: str, words: tuple[str, ...]) -> None:
    """Entries and lines come in thousands: each statement is looked at once, not each row."""
    counts = "standing" if table == "statement_entry" else "matchable"
    state = f"(SELECT i.state FROM statement_import i WHERE i.id = ({import_of}))"
    before, after = state.format(row="b"), state.format(row="a")
    _refuses(
        f"{table}_is_added",
        f"""
            IF EXISTS (SELECT FROM added a WHERE a.{counts} OR {after} NOT IN ({WRITTEN})) THEN
                {_raise("rows of a statement are written while its import is a preview")}
            END IF;
        """,
    )
    _refuses(
        f"{table}_stays",
        f"""
            IF EXISTS (SELECT FROM was b LEFT JOIN became a ON a.id = b.id
                       WHERE a.id IS NULL OR ({", ".join(f"a.{word}" for word in words)})
                           IS DISTINCT FROM ({", ".join(f"b.{word}" for word in words)})) THEN
                {_raise("what a bank told stays as it came")}
            END IF;
            IF EXISTS (SELECT FROM was b JOIN became a ON a.id = b.id
                       WHERE a.{counts} <> b.{counts} AND (b.{counts} OR {after} NOT IN ('importing', 'imported'))) THEN
                {_raise("rows of a statement count from the commit of their import until they are deleted with it")}
            END IF;
        """,
    )
    _refuses(
        f"{table}_is_removed",
        f"""
            IF EXISTS (SELECT FROM removed b WHERE {before} NOT IN ({GONE})) THEN
                {_raise("rows of an imported statement are deleted with its import only")}
            END IF;
        """,
    )
    for verb, named, tables in (
        ("INSERT", "is_added", "NEW TABLE AS added"),
        ("UPDATE", "stays", "OLD TABLE AS was NEW TABLE AS became"),
        ("DELETE", "is_removed", "OLD TABLE AS removed"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_{named} AFTER {verb} ON {table} REFERENCING {tables}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_{named}()"
        )
