"""The faults of workloads, of what Kubernetes runs beside them, and of uplinks, as values."""

from typing import Final

from tests.lab.connections import COUNTED
from tests.lab.extras import doubting, health_checks, node_ports
from tests.lab.fault import Fault, Loss, Sessions
from tests.lab.healthstrikes import (
    flap_endpoint,
    gateway_mute,
    hang_workload,
    hearing,
    hearing_everywhere,
    node_ports_agree,
    port_down,
    port_up,
    probes_agree,
    refuse_on_node_ports,
    renew,
    restore_both,
    silencing,
    silencing_everywhere,
    wake_workload,
)
from tests.lab.strikes import undrop


def _dead(which: str) -> Fault:
    return Fault(
        name=f"{which}-dead",
        sentence=f"{which} of a node is restarted as a routine, and later dies for good",
        strike=silencing(which),
        prepare=hearing(which),
        heal=renew,
        documents=doubting,
        loss=Loss.NONE,
        sessions=Sessions.KEPT,
        raises=(0,),
        connects=True,
        reported=COUNTED,
        lasting=True,
        moves=True,
        seconds=1.0,
        targets={"moved_after_seconds": 12},
    )


HEALTH_FAULTS: Final = (
    Fault(
        name="pod-hang",
        sentence="a workload hangs (SIGSTOP) that Kubernetes calls ready; a probe asks it each"
        " 100 ms, two failures count",
        strike=hang_workload,
        prepare=probes_agree,
        heal=wake_workload,
        documents=health_checks,
        gap_ms=300,
        sessions=Sessions.KEPT,
        moves=True,
        raises=(0,),
        loss=Loss.AFFECTED,
    ),
    Fault(
        name="node-port-no",
        sentence="the workload of a node stops, and its healthCheckNodePorts answer 503",
        strike=refuse_on_node_ports,
        prepare=node_ports_agree,
        heal=renew,
        documents=node_ports,
        gap_ms=300,
        sessions=Sessions.KEPT,
        moves=True,
        raises=(0,),
        loss=Loss.AFFECTED,
    ),
    _dead("kube-proxy"),
    _dead("kubelet"),
    Fault(
        name="kube-proxy-dead-all",
        sentence="kube-proxy dies on every node: all are in doubt, so traffic stays where it is",
        strike=silencing_everywhere("kube-proxy"),
        prepare=hearing_everywhere("kube-proxy"),
        heal=renew,
        documents=doubting,
        loss=Loss.NONE,
        sessions=Sessions.KEPT,
        raises=(0,),
        connects=True,
        lasting=True,
        reported=("told_after_seconds", *COUNTED),
        seconds=1.0,
    ),
    Fault(
        name="uplink-down",
        sentence="the router shuts a node's port: the node keeps its addresses, without carrier",
        strike=port_down,
        reported=("carrier_loss_told_ms",),
        heal=port_up,
        gap_ms=300,
        moves=True,
        loss=Loss.AFFECTED,
    ),
    Fault(
        name="gateway-silent",
        sentence="nothing that the router sends reaches a node any more, ARP and ND included",
        strike=gateway_mute,
        reported=("gateway_loss_told_ms",),
        heal=undrop,
        gap_ms=300,
        moves=True,
        raises=(1,),
        loss=Loss.AFFECTED,
        seconds=1.0,
    ),
    Fault(
        name="flapping-endpoint",
        sentence="a Service's endpoint on one node comes and goes ten times a second, for five",
        strike=flap_endpoint,
        heal=restore_both,
        loss=Loss.NONE,
        sessions=Sessions.KEPT,
        raises=(0,),
        connects=True,
        lasting=True,
        reported=("settled_seconds", *COUNTED),
        seconds=0.5,
        targets={"updates_of_its_route": 20, "other_to_router_ms": 15},
    ),
)
