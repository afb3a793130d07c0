"""Files for a bank: written beside the outbox, moved into it in one step.

A file that stands in `.staged` has not been given to the bank; one that does not stand there any more has. So a
process that ends anywhere in between leaves no doubt, even where the bank has fetched the file and taken it away.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from dashboard.transfers.providers.port import Instruction, NotSent, Report, Timing

STAGED = ".staged"


class Files:
    """The outbox folder of one provider. A payment (pain.001) names its creditor's account: nothing goes back by a
    reference alone."""

    returns_by_reference: ClassVar[bool] = False

    def __init__(self, key: str, folder: Path, *, batch: int = 500) -> None:
        self.key = key
        self.batch = batch
        self.folder = folder
        self.timing = Timing()

    def submit(self, instructions: Sequence[Instruction]) -> Sequence[Report]:
        """Files are staged and published (`services.sending`), never submitted at once."""
        raise NotSent("files are published")

    def ask(self, end_to_end_id: str) -> Report | None:
        """A bank that takes files tells by files."""
        return None

    def stage(self, name: str, content: bytes) -> None:
        """Write the file where the bank does not look. Raises NotSent."""
        staged = self.folder / STAGED
        fresh = staged / f"{name}.tmp"
        try:
            staged.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.rename(staged / name)
            _sync(staged)
        except OSError as error:
            raise NotSent(f"outbox: {type(error).__name__}") from None

    def publish(self, name: str) -> bool:
        """Move a staged file into the outbox; False where it was moved before. Raises NotSent."""
        try:
            (self.folder / STAGED / name).rename(self.folder / name)
            _sync(self.folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise NotSent(f"outbox: {type(error).__name__}") from None
        return True

    def unstage(self, name: str) -> None:
        """Forget a staged file that nothing refers to."""
        with suppress(OSError):
            (self.folder / STAGED / name).unlink()

    def staged(self) -> list[Path]:
        folder = self.folder / STAGED
        return sorted(folder.iterdir()) if folder.is_dir() else []


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
