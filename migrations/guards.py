"""SQL that models cannot say: search function, triggers that refuse, and what the application's role may do."""

from __future__ import annotations

from collections.abc import Iterable

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
