"""Clients for machines: CP-01 to CP-08 of the documented operations."""

from dashboard.clients.api import blocks, deletion, lists, own, profiles
from dashboard.clients.api.blueprint import client_operations

__all__ = ["blocks", "client_operations", "deletion", "lists", "own", "profiles"]
