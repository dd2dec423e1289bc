"""The numbers of BGP's NOTIFICATIONs and capabilities, and their names in the RFCs. Pure.

Supported standards: RFC 4271 (section 4.5), 4486, 5492, 6608, 7313, 8538, 9234, 9384, 9687.
"""

from collections.abc import Mapping
from typing import Final

_CODES: Final[Mapping[int, str]] = {
    1: "Message Header Error",
    2: "OPEN Message Error",
    3: "UPDATE Message Error",
    4: "Hold Timer Expired",
    5: "Finite State Machine Error",
    6: "Cease",
    7: "ROUTE-REFRESH Message Error",
    8: "Send Hold Timer Expired",
}
_NAMES: Final[Mapping[tuple[int, int], str]] = {
    (1, 1): "Connection Not Synchronized",
    (1, 2): "Bad Message Length",
    (1, 3): "Bad Message Type",
    (2, 1): "Unsupported Version Number",
    (2, 2): "Bad Peer AS",
    (2, 3): "Bad BGP Identifier",
    (2, 4): "Unsupported Optional Parameter",
    (2, 5): "Authentication Failure",
    (2, 6): "Unacceptable Hold Time",
    (2, 7): "Unsupported Capability",
    (2, 11): "Role Mismatch",
    (3, 1): "Malformed Attribute List",
    (3, 2): "Unrecognized Well-known Attribute",
    (3, 3): "Missing Well-known Attribute",
    (3, 4): "Attribute Flags Error",
    (3, 5): "Attribute Length Error",
    (3, 6): "Invalid ORIGIN Attribute",
    (3, 7): "AS Routing Loop",
    (3, 8): "Invalid NEXT_HOP Attribute",
    (3, 9): "Optional Attribute Error",
    (3, 10): "Invalid Network Field",
    (3, 11): "Malformed AS_PATH",
    (5, 1): "Unexpected Message in OpenSent",
    (5, 2): "Unexpected Message in OpenConfirm",
    (5, 3): "Unexpected Message in Established",
    (6, 1): "Maximum Number of Prefixes Reached",
    (6, 2): "Administrative Shutdown",
    (6, 3): "Peer De-configured",
    (6, 4): "Administrative Reset",
    (6, 5): "Connection Rejected",
    (6, 6): "Other Configuration Change",
    (6, 7): "Connection Collision Resolution",
    (6, 8): "Out of Resources",
    (6, 9): "Hard Reset",
    (6, 10): "BFD Down",
    (7, 1): "Invalid Message Length",
}
FAMILIES: Final[Mapping[tuple[int, int], str]] = {
    (1, 1): "IPv4 unicast",
    (2, 1): "IPv6 unicast",
}
CAPABILITIES: Final[Mapping[int, str]] = {
    2: "route refresh",
    5: "IPv4 routes with an IPv6 next hop",
    6: "extended messages",
    9: "BGP role",
    64: "graceful restart",
    65: "four-byte ASNs",
    69: "ADD-PATH",
    70: "enhanced route refresh",
}


def numbers(code: int, subcode: int) -> str:
    """Return code and subcode in brackets, for whoever looks them up."""
    names = (_CODES.get(code, "unknown"), _NAMES.get((code, subcode), ""))
    return f" (NOTIFICATION {code}/{subcode}, {', '.join(name for name in names if name)})"
