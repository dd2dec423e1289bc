"""All checks, in the order in which things depend on each other."""

from collections.abc import Callable
from typing import Final

from bgpd.ctl import (
    doctoragreed,
    doctorhost,
    doctormesh,
    doctornode,
    doctorports,
    doctorroute,
    doctorsession,
)
from bgpd.ctl.doctor import Check, Findings
from bgpd.ctl.doctorfacts import Facts

PEERLESS: Final = "no router is known"


def _and_conditions(name: str, find: Callable[[Facts], Findings]) -> Callable[[Facts], Findings]:
    """Return *find*, followed by what the node itself says that belongs to the check *name*."""

    def both(facts: Facts) -> Findings:
        yield from find(facts)
        yield from doctornode.told(facts, name)

    return both


CHECKS: Final = (
    Check(
        name="agent",
        asks="Does the agent answer on its socket?",
        remedy="Start it, and read its log. What it wanted last stays in force meanwhile.",
        find=doctornode.agent,
    ),
    Check(
        name="speaker",
        asks="Does the speaker answer, has it an ExaBGP, and is the agent connected to it?",
        remedy="Start it, and read its log.",
        find=doctornode.speaker,
    ),
    Check(
        name="documents",
        asks="Is what was configured read, valid and in force?",
        remedy="Correct what the line names; `bgpctl validate` tells beforehand.",
        find=doctornode.documents,
    ),
    Check(
        name="api",
        asks="Does the source of the documents speak, and can the node write its status?",
        remedy="Look at the API server, the token and the role of the ServiceAccount.",
        find=doctornode.api,
    ),
    Check(
        name="metadata",
        asks="Does the provider of each BGPPeer that has one answer, and understandably?",
        remedy="Reach the URL from this node; enable BGP for the server at the provider.",
        find=doctornode.metadata,
    ),
    Check(
        name="source",
        asks="Has the host the address that each session comes from?",
        remedy="Add the address to the host, or correct `sourceAddress`.",
        find=doctorroute.source,
        nothing=PEERLESS,
    ),
    Check(
        name="route",
        asks="Is each router reached, by a cable with carrier, over the gateway that is meant?",
        remedy="Add the route, or set `gateway` of the BGPPeer and let the agent do it.",
        find=_and_conditions("route", doctorroute.route),
        nothing=PEERLESS,
    ),
    Check(
        name="tcp",
        asks="Does each router accept TCP connections from the right source?",
        remedy="Start BGP there, name this node as a neighbor, open TCP port 179 both ways.",
        find=doctorsession.tcp,
        needs=("source", "route"),
        nothing=PEERLESS,
    ),
    Check(
        name="md5",
        asks="Have both ends the same TCP MD5 password, or both none?",
        remedy="Compare the password of the BGPPeer with that of the router's neighbor.",
        find=doctorsession.md5,
        needs=("source", "route", "tcp"),
        nothing=PEERLESS,
    ),
    Check(
        name="open",
        asks="Is each session established; if not, what did the router say?",
        remedy="The line says what the NOTIFICATION means: AS numbers, source, hold time, limit.",
        find=doctorsession.opened,
        needs=("source", "route", "tcp", "md5"),
        nothing=PEERLESS,
    ),
    Check(
        name="hold",
        asks="Is the hold time that was negotiated neither hasty nor endless?",
        remedy="Change `holdTime`; use BFD where a silent router must be noticed fast.",
        find=doctoragreed.hold,
        needs=("source", "route", "tcp", "md5", "open"),
        nothing=PEERLESS,
    ),
    Check(
        name="families",
        asks="Does the router take routes of every family that it is offered?",
        remedy="Activate the family for this neighbor on the router, or correct `families`.",
        find=_and_conditions("families", doctoragreed.families),
        needs=("source", "route", "tcp", "md5", "open"),
        nothing=PEERLESS,
    ),
    Check(
        name="limit",
        asks="How near is each session to the number of prefixes that the router takes?",
        remedy="Have the limit raised, then `maxPrefixes`; give what matters a larger `priority`.",
        find=doctoragreed.limit,
        nothing=PEERLESS,
    ),
    Check(
        name="accepted",
        asks="Does the router take the routes? Only it knows, or what its provider says of it.",
        remedy="Ask the router, with the command that the line names.",
        find=doctoragreed.accepted,
        needs=("source", "route", "tcp", "md5", "open"),
        nothing=PEERLESS,
    ),
    Check(
        name="bfd",
        asks="Are the BFD sessions up, where they are wanted?",
        remedy="Configure BFD for this neighbor on the router; open UDP ports 3784 and 4784.",
        find=_and_conditions("bfd", doctoragreed.bfd),
        needs=("source", "route"),
        nothing=PEERLESS,
    ),
    Check(
        name="damping",
        asks="How many more takeovers may a router hear that dampens flaps?",
        remedy="Wait, or have damping switched off for these prefixes.",
        find=_and_conditions("damping", doctoragreed.damping),
    ),
    Check(
        name="mtu",
        asks="Do packets as large as the uplink sends arrive at each router?",
        remedy="Give the uplink the MTU of the way.",
        find=doctorroute.mtu,
        needs=("source", "route"),
        nothing=PEERLESS,
    ),
    Check(
        name="rp-filter",
        asks="Does the kernel drop what comes in by one uplink and is answered by another?",
        remedy="Set `rp_filter` of the uplink to 2 (loose).",
        find=doctorhost.rp_filter,
    ),
    Check(
        name="arp",
        asks="Does the host answer ARP for elastic IPs that are bound on it?",
        remedy="Set `arp_ignore` to 1 and `arp_announce` to 2 on the uplinks.",
        find=doctorhost.arp,
    ),
    Check(
        name="forwarding",
        asks="Does the kernel pass packets on to pods?",
        remedy="Set `net.ipv4.ip_forward`, or `net.ipv6.conf.all.forwarding`, to 1.",
        find=doctorhost.forwarding,
    ),
    Check(
        name="kube-proxy",
        asks="Does kube-proxy say that it is well?",
        remedy="Read its log. A host without kube-proxy has a SKIP here.",
        find=doctornode.kube_proxy,
    ),
    Check(
        name="mesh",
        asks="Do heartbeats come from each member, and reach it?",
        remedy="Open UDP port 7179 between the nodes, both ways; give all of them the same key.",
        find=doctormesh.mesh,
    ),
    Check(
        name="ports",
        asks="Do our processes, and nobody else, listen on their ports of this node?",
        remedy="Move the other program, or give `--metrics-address` another port.",
        find=doctorports.ports,
    ),
    Check(
        name="takeover",
        asks="Would the death of a node be answered now, and would it move traffic?",
        remedy="Mend the mesh; give all nodes the same lever, base and stride.",
        find=doctormesh.takeover,
    ),
    Check(
        name="generation",
        asks="Do all members count the same generation?",
        remedy="Mend the mesh; `bgpctl generation reset` where two countings met.",
        find=doctormesh.generation,
    ),
    Check(
        name="clock",
        asks="Does anybody keep the clock right?",
        remedy="Run chrony or systemd-timesyncd.",
        find=doctornode.clock,
    ),
    Check(
        name="state",
        asks="Can what must outlive a process be written?",
        remedy="Make room, or the filesystem writable.",
        find=doctornode.state,
    ),
    Check(
        name="files",
        asks="May our processes open as many files as they need?",
        remedy="Raise `LimitNOFILE`.",
        find=doctornode.files,
    ),
    Check(
        name="conditions",
        asks="Do agent and speaker report anything that no other line tells of?",
        remedy="Read the condition; `bgpctl status` shows it with the others.",
        find=doctornode.conditions,
    ),
)
"""Told in this order: a line that fails explains those below it."""
NAMES: Final = tuple(check.name for check in CHECKS)
