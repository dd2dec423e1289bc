"""What the controller exposes: who leads, how full the pools are, which Services wait."""

from typing import Final

from bgpd.telemetry.metric import Kind, Metric, Process

_CONTROLLER: Final = (Process.CONTROLLER,)

LEADER: Final = Metric(
    name="bgpd_leader",
    kind=Kind.GAUGE,
    help="Whether this controller is the one that works; the others stand by.",
    processes=_CONTROLLER,
)
POOL_ADDRESSES: Final = Metric(
    name="bgpd_pool_addresses",
    kind=Kind.GAUGE,
    help="Addresses of the pool, given to a Service or not; only the leader counts them.",
    labels=("pool", "state"),
    values={"state": ("Assigned", "Available")},
    processes=_CONTROLLER,
)
SERVICES_WAITING: Final = Metric(
    name="bgpd_services_waiting",
    kind=Kind.GAUGE,
    help="Services that have no address, by why; only the leader counts them.",
    labels=("reason",),
    processes=_CONTROLLER,
)
WRITES: Final = Metric(
    name="bgpd_writes_total",
    kind=Kind.COUNTER,
    help="Writes to the API by how they ended; a conflict is tried again.",
    labels=("result",),
    values={"result": ("written", "conflict", "failed")},
    processes=(Process.AGENT, Process.CONTROLLER),
)
