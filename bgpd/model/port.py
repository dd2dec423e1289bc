"""The ports that bgpd uses, in one table: for options, firewalls, `bgpctl doctor` and the docs.

All that we listen on is below 30000, where NodePorts and ephemeral ports begin, and none is one
of MetalLB's (7472, 7473, 7572, 7573, 7946), so that both can run on a node during a migration.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MESH_PORT: Final = 7179
"""Unprivileged, so that a speaker needs no capability for it."""
SPEAKER_METRICS_PORT: Final = 7180
AGENT_METRICS_PORT: Final = 7181
CONTROLLER_METRICS_PORT: Final = 7182
PROBE_PORT: Final = 7183
BGP_PORT: Final = 179
BFD_PORT: Final = 3784
BFD_MULTIHOP_PORT: Final = 4784


class Transport(StrEnum):
    """What carries a port."""

    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One port, as a firewall has to know it."""

    name: str
    number: int
    transport: Transport
    listens: str
    """The process that listens: `speaker`, `agent`, `controller`, `bgpctl` or `router`."""
    connects: str
    """Who sends to it."""
    carries: str
    option: str = ""
    """What moves it elsewhere; empty: nothing does."""


PORTS: Final = (
    Port(
        name="bgp",
        number=BGP_PORT,
        transport=Transport.TCP,
        listens="router",
        connects="every node",
        carries="BGP sessions (RFC 4271); speakers connect and never listen",
        option="`peerPort` of the BGPPeer",
    ),
    Port(
        name="mesh",
        number=MESH_PORT,
        transport=Transport.UDP,
        listens="speaker",
        connects="every other node",
        carries="heartbeats, authenticated by the mesh key; ICMP echo goes beside them",
    ),
    Port(
        name="bfd",
        number=BFD_PORT,
        transport=Transport.UDP,
        listens="speaker",
        connects="routers on the link",
        carries="BFD (RFC 5881), both ways, where a BGPPeer has a `bfdProfile`",
    ),
    Port(
        name="bfd-multihop",
        number=BFD_MULTIHOP_PORT,
        transport=Transport.UDP,
        listens="speaker",
        connects="routers behind others",
        carries="BFD over several hops (RFC 5883), both ways",
    ),
    Port(
        name="speaker-metrics",
        number=SPEAKER_METRICS_PORT,
        transport=Transport.TCP,
        listens="speaker",
        connects="Prometheus, kubelet",
        carries="/metrics, /livez, /readyz of the speaker",
        option="`--metrics-address`",
    ),
    Port(
        name="agent-metrics",
        number=AGENT_METRICS_PORT,
        transport=Transport.TCP,
        listens="agent",
        connects="Prometheus, kubelet",
        carries="/metrics, /livez, /readyz of the agent",
        option="`--metrics-address`",
    ),
    Port(
        name="controller-metrics",
        number=CONTROLLER_METRICS_PORT,
        transport=Transport.TCP,
        listens="controller",
        connects="Prometheus, kubelet",
        carries="/metrics, /livez, /readyz of the controller",
        option="`--metrics-address`",
    ),
    Port(
        name="probe",
        number=PROBE_PORT,
        transport=Transport.TCP,
        listens="bgpctl",
        connects="the other node of a probe",
        carries="`bgpctl probe`, only while it runs, authenticated by the mesh key",
        option="`bgpctl probe --port`",
    ),
)


def port(name: str) -> Port:
    """Return the port called *name*."""
    return next(one for one in PORTS if one.name == name)
