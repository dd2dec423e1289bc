"""How a cluster says that MetalLB still carries a part of its traffic.

The mark is an annotation on an IPAddressPool, because agents and the controller both read pools,
and because MetalLB's own pools can carry it too. While any pool has it, no peer of any node has a
lever, and the controller writes no Service.
"""

from typing import Final

MIGRATING: Final = "bgpd.io/migrating-from"
"""The annotation; whatever its value is, unless it is empty, the walk is not over."""
FROM_METALLB: Final = "metallb"
