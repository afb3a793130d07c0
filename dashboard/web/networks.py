"""Which network an address belongs to: what limits and counts know a caller by."""

from __future__ import annotations

import ipaddress


def network_of(address: str) -> str:
    """An IPv4 address as it is; of IPv6 the network of 64 bits that one subscriber has; anything else as it is."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        return str(known.ipv4_mapped or ipaddress.ip_network((known, 64), strict=False))
    return address
