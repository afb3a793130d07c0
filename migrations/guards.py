"""SQL that models cannot say: search function, triggers that refuse, and what the application's role may do."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

APPLICATION_ROLE = "countinghouse_app"


def append_only(table: str) -> None:
    """No UPDATE, DELETE or TRUNCATE, whoever asks."""
    op.execute(
        f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def never_deleted(table: str) -> None:
    """No DELETE or TRUNCATE: rows are closed, not removed."""
    op.execute(
        f"CREATE TRIGGER {table}_is_never_deleted BEFORE DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def refuse_change_function() -> None:
    """The function behind both."""
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql
            SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
            RAISE EXCEPTION '% on % is refused: these rows are evidence', TG_OP, TG_TABLE_NAME
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
        END $$
        """
    )


def application_role() -> None:
    """Make the role where the login may; an operator without that right makes it (docs/operations.md)."""
    op.execute(
        f"""
        DO $$
        BEGIN
            IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{APPLICATION_ROLE}') THEN
                CREATE ROLE {APPLICATION_ROLE} NOLOGIN;
            END IF;
            IF NOT pg_has_role(current_user, '{APPLICATION_ROLE}', 'MEMBER') THEN
                GRANT {APPLICATION_ROLE} TO CURRENT_USER;
            END IF;
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'the role {APPLICATION_ROLE} could not be made or granted; make it by hand';
            WHEN duplicate_object OR unique_violation THEN
                NULL;
        END $$
        """
    )


def grant(privileges: str, tables: Iterable[str]) -> None:
    """Grant to the application's role where it exists."""
    listed = ", ".join(tables)
    op.execute(
        f"""
        DO $$
        BEGIN
            IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{APPLICATION_ROLE}') THEN
                GRANT {privileges} ON {listed} TO {APPLICATION_ROLE};
            END IF;
        END $$
        """
    )


def let_lay_out_tables() -> None:
    """Temporary tables for the application's role, where the login may give that; else an operator does
    (docs/operations.md)."""
    op.execute(
        f"""
        DO $$
        BEGIN
            IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{APPLICATION_ROLE}') THEN
                EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO {APPLICATION_ROLE}', current_database());
            END IF;
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'TEMPORARY could not be granted to {APPLICATION_ROLE}; grant it by hand';
        END $$
        """
    )


def let_purge_pass(*tables: str) -> None:
    """Guards of these tables step aside while `purge_client` empties them (ADR 0023), and for nobody else.

    A trigger gets `WHEN (NOT purging())`, whatever its condition was before; those that only look at new rows stay as
    they are. Safe to call again after a guard was made anew.
    """
    for table in tables:
        op.execute(
            f"""
            DO $$
            DECLARE
                found record;
                said text;
            BEGIN
                FOR found IN SELECT oid, tgqual IS NOT NULL AS conditional FROM pg_trigger
                    WHERE tgrelid = '{table}'::regclass AND NOT tgisinternal AND tgconstraint = 0
                      -- of UPDATE (16) or DELETE (8)
                      AND (tgtype & 24) > 0
                LOOP
                    said := pg_get_triggerdef(found.oid);
                    CONTINUE WHEN said LIKE '%purging()%';
                    said := regexp_replace(said, '^CREATE TRIGGER', 'CREATE OR REPLACE TRIGGER');
                    IF found.conditional THEN
                        said := regexp_replace(said, ' WHEN \\(', ' WHEN (NOT purging() AND (');
                        said := regexp_replace(said, ' EXECUTE FUNCTION', ') EXECUTE FUNCTION');
                    ELSE
                        said := regexp_replace(said, ' EXECUTE FUNCTION', ' WHEN (NOT purging()) EXECUTE FUNCTION');
                    END IF;
                    EXECUTE said;
                END LOOP;
            END $$
            """
        )


def personal(table: str, found_by: str, /, **becomes: str) -> None:
    """Declare columns that hold personal data: what a purge makes of them, in the rows of a client.

    `found_by` is a condition on `table` in which $1 is the client's id. A column `_row="deleted"` says that the row
    goes altogether. Call `let_purge_pass` for tables with guards.
    """
    for column, value in becomes.items():
        op.get_bind().exec_driver_sql(
            "INSERT INTO personal_column (table_name, column_name, found_by, becomes) VALUES (%s, %s, %s, %s)",
            (table, column, found_by, value),
        )


def rewrite_function(function: str, *changes: tuple[str, str]) -> None:
    """Replace parts of a function as it stands in the database, whatever earlier migrations made of the rest.

    Each change is a part and what becomes of it; the part stands there exactly once, white space counts. Who owns the
    function, who may call it and which triggers use it stay as they are. Raises RuntimeError where the function is not
    there, has a second form with other arguments, or no longer reads as expected; then nothing is changed.
    """
    found = op.get_bind().execute(
        sa.text(
            "SELECT pg_get_functiondef(oid) FROM pg_proc"
            " WHERE proname = :name AND pronamespace = 'public'::regnamespace"
        ),
        {"name": function},
    )
    texts = found.scalars().all()
    if len(texts) != 1:
        raise RuntimeError(f"there are {len(texts)} functions {function}, and this migration expects one")
    text = texts[0]
    for before, after in changes:
        if text.count(before) != 1:
            raise RuntimeError(f"{function} no longer reads as this migration expects")
        text = text.replace(before, after)
    # a percent sign stands for a value in what goes to the driver
    op.get_bind().exec_driver_sql(text.replace("%", "%%"))
