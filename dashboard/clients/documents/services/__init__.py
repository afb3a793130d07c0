"""The verbs of documents. Each locks the client's row first, writes its audit event, and never commits.

`remove_files` and `sweep` are the exceptions: they belong to jobs, and the lock of one file lasts one transaction.
"""

from dashboard.clients.documents.services.deciding import accept, reject, withdraw
from dashboard.clients.documents.services.erasing import relationship_ended, remove_files, sweep, to_erase
from dashboard.clients.documents.services.expiring import expire, remind
from dashboard.clients.documents.services.reading import download, look_at, picture
from dashboard.clients.documents.services.uploading import Looked, TooLarge, look, upload

__all__ = [
    "Looked",
    "TooLarge",
    "accept",
    "download",
    "expire",
    "look",
    "look_at",
    "picture",
    "reject",
    "relationship_ended",
    "remind",
    "remove_files",
    "sweep",
    "to_erase",
    "upload",
    "withdraw",
]
