"""How people call an address family in a sentence."""

from typing import Final

from bgpd.model.prefix import Family

WORD: Final = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}
"""The word for each family."""
