"""Clients for machines: CP-01 and CP-03 to CP-12 of the documented operations."""

from dashboard.clients.api import blocks, lists, own, profiles
from dashboard.clients.api.blueprint import client_operations
from dashboard.clients.documents import api as documents

__all__ = ["blocks", "client_operations", "documents", "lists", "own", "profiles"]
