"""`flask ledger …`: the ledger from the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from flask.cli import AppGroup

from dashboard.access.actor import system
from dashboard.errors import DomainError, Invalid
from dashboard.money import Money

ledger_commands = AppGroup("ledger", help="Business days, balances and imports of payments.")


def _refused(error: DomainError) -> click.ClickException:
    """The refusal in words, with each field that broke a rule."""
    if isinstance(error, Invalid):
        return click.ClickException(" ".join(f"{e.field}: {e.message}" if e.field else e.message for e in error.errors))
    return click.ClickException(error.message)


@ledger_commands.command("import")
@click.argument("file", type=click.Path(path_type=Path))
def import_command(file: Path) -> None:
    """Post the payments of a CSV FILE. Run it again to go on where it stopped; what was refused stands in
    FILE.errors.csv."""
    from dashboard.ledger.services import importing

    def told(done: int, posted: int, refused: int) -> None:
        click.echo(f"{done:,} records: {posted:,} posted, {refused:,} refused")

    try:
        result = importing.import_file(file, by=system("flask ledger import"), progress=told)
    except DomainError as error:
        raise _refused(error) from None
    click.echo(f"Done: {result.posted:,} posted, {result.refused:,} refused.")
    if result.refused:
        click.echo(f"What was refused and why: {result.errors}")


@ledger_commands.command("check")
@click.option("--full", is_flag=True, help="All accounts; else those that money moved on since the last look.")
@click.option("--account", "numbers", multiple=True, help="IBAN of an account to check now; may be repeated.")
@click.pass_context
def check_command(context: click.Context, full: bool, numbers: tuple[str, ...]) -> None:
    """Compare stored balances with the transactions, here and now. Ends with status 2 where something differs.

    Nothing is mended: a difference opens a finding at /ledger/checks, which two people close.
    """
    from dashboard.ledger import checking_here

    by = system("flask ledger check")
    try:
        if numbers:
            accounts, differences = checking_here.check_numbers(numbers, by=by)
        else:
            accounts, differences = checking_here.check(full=full, by=by, told=click.echo)
    except DomainError as error:
        raise _refused(error) from None
    click.echo(f"Accounts checked: {accounts:,}. Differences: {differences:,}.")
    if differences:
        click.echo("See /ledger/checks.")
        context.exit(2)


@ledger_commands.command("end-of-day")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), default=None, help="The open day; today's when left out.")
@click.option("--next", "next_day", type=click.DateTime(["%Y-%m-%d"]), default=None, help="The business day after it.")
def end_of_day_command(day: datetime | None, next_day: datetime | None) -> None:
    """End the business day and write its balances. Run again it finishes what is missing and changes nothing else."""
    from dashboard.ledger.services import days, snapshots

    try:
        wanted = day.date() if day else snapshots.due()
        following = next_day.date() if next_day else None
        ended, snapshot = snapshots.end_of_day(wanted, next_day=following, by=system("flask ledger end-of-day"))
    except DomainError as error:
        raise _refused(error) from None
    when = ended.closed_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    click.echo(f"{days.in_words(ended.day)} {'ended' if ended.by_us else 'had ended already'} at {when}.")
    for holiday, name in days.skipped(ended.day, ended.next_day):
        click.echo(f"{days.in_words(holiday)} is no business day: {name}.")
    click.echo(f"The business day after it is {days.in_words(ended.next_day)}.")
    click.echo(f"Snapshot {'written' if snapshot.made else 'stands'}: {snapshot.moved:,} accounts moved.")
    for currency in sorted({total.currency for total in snapshot.totals}):
        of_currency = [total for total in snapshot.totals if total.currency == currency]
        turnover = Money(sum(total.debits for total in of_currency), currency)
        together = Money(sum(total.posted for total in of_currency), currency)
        click.echo(f"  turnover {turnover}, all balances together {together}")


@ledger_commands.command("opening-balances")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--reason", required=True, help="The second person reads this.")
@click.option("--by", "email", required=True, help="E-mail of the staff member who asks; somebody else approves.")
def opening_balances_command(file: Path, reason: str, email: str) -> None:
    """Read opening balances from a CSV FILE (accountNumber,currency,amount) and ask for a second person."""
    from dashboard.database import transaction
    from dashboard.ledger.services import opening, opening_file
    from dashboard.staff import services as staff

    try:
        content = file.read_bytes() if file.stat().st_size <= opening_file.LARGEST_FILE else None
        with transaction():
            maker = staff.actor_named(email)
            if content is None:
                raise Invalid.one("file", f"The file is larger than {opening_file.LARGEST_FILE // 1024**2} MB.", "size")
            imported = opening.ask(content, file_name=file.name, reason=reason, by=maker)
    except opening.FileRefused as error:
        for each in error.errors:
            if each.field != "file":
                click.echo(f"{each.field}: {each.message}", err=True)
        if error.bad > len(error.rows):
            click.echo(f"More rows are wrong: {error.bad:,} in all.", err=True)
        raise click.ClickException(error.message) from None
    except DomainError as error:
        raise _refused(error) from None
    for total in opening.totals_of(imported):
        click.echo(f"{total.accounts:,} accounts, {Money(total.owed, total.currency)} each way")
    click.echo(f"{imported.file_name} waits for a second person. Nothing is posted yet.")
