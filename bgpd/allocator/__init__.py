"""Who gets which address: pools in, one decision for each Service out. No I/O, no clock.

`Allocator` holds which Service has which addresses. A driver tells it the pools, hands it one
`ServiceRequest` at a time with the time of day of a monotonic clock, and writes down what comes
back: `Assigned`, or `Refused` with a sentence for each pool that was tried.

Files, from the bottom: *outcome* (what a decision says), *layout* (the addresses of one family of
one pool, numbered in the order in which they are given), *sharing* (which of them more Services
may join), *stock* (which of them are free), *eligibility* (which pools a Service may use, in which
order), *sentences* (why not), *allocator* (all of it together).
"""

from bgpd.allocator.allocator import Allocator
from bgpd.allocator.outcome import (
    MOST,
    Assigned,
    Capacity,
    Counters,
    Outcome,
    Refused,
    Tried,
)

__all__ = ["MOST", "Allocator", "Assigned", "Capacity", "Counters", "Outcome", "Refused", "Tried"]
