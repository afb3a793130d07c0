"""Development: the message is shown in the terminal that runs the installation, and goes nowhere else."""

from __future__ import annotations

import sys

from dashboard.notifier.message import Message
from dashboard.notifier.port import DeliveryFailed


class ConsoleNotifier:
    """Writes to standard error, past the structured log: the log must never hold an addressee or a code."""

    def send(self, message: Message) -> None:
        """Raises DeliveryFailed where nobody can read it: the terminal is closed."""
        shown = [
            *("", "  Message (development: shown here, not sent)"),
            *(f"  To       {message.to}", f"  Subject  {message.subject}"),
            *(f"  | {line}" for line in message.text.splitlines()),
            *("", ""),
        ]
        try:
            # one write, so that several processes do not mix their lines
            sys.stderr.write("\n".join(shown))
            sys.stderr.flush()
        except (OSError, ValueError):
            raise DeliveryFailed(
                "The message could not be shown: the terminal is closed.", details={"reason": "unreachable"}
            ) from None
