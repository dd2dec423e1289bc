"""Write the reference of our kinds from the table that the checks use.

What a field means stands here; what it may be comes from `bgpd.kube.fields`, so the page cannot
promise a range that is not enforced, and a test fails for a field without a meaning.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from bgpd.kube.fields import Field, fields_of
from bgpd.kube.kinds import KINDS
from bgpd.model.health import LocalHealthPolicy

_SELECTORS: Final = "label selectors, any of which may match; absent means all"
_NOT_DONE: Final = "not supported"
_HEALTH: Final = LocalHealthPolicy()
_PORT: Final = "the port; default the first of its protocol, of the endpoint or of the Service"

MEANINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "IPAddressPool": {
        "addresses": "the addresses, each advertised on its own as a /32 or /128",
        "autoAssign": "false: only for Services that ask for this pool; default true",
        "avoidBuggyIPs": "IPv4 addresses that end in .0 or .255 are not the pool's; default false",
        "serviceAllocation": "who may have these addresses; read by whoever hands them out",
        "serviceAllocation.priority": "smaller is preferred; 0, the default, comes last",
        "serviceAllocation.namespaces": "the namespaces whose Services may, by name",
        "serviceAllocation.namespaceSelectors": "the same by label, beside those named",
        "serviceAllocation.serviceSelectors": f"the Services that may: {_SELECTORS}",
        "reserved": "addresses of the pool that no Service is given; who has one keeps it",
        "reuseDelay": "how long an address that was released is given to nobody else; default 0s",
        "bindOnHost": "nodes that may advertise an address of it also have it on an interface of"
        " ours, for programs that listen on the host itself; default false",
    },
    "BGPAdvertisement": {
        "ipAddressPools": "the pools, by name; with neither names nor selectors every pool",
        "ipAddressPoolSelectors": "the pools, by label, beside those named",
        "nodeSelectors": f"the nodes that advertise: {_SELECTORS}",
        "serviceSelectors": f"the Services that are advertised: {_SELECTORS}",
        "peers": "the BGPPeers that hear it; absent means every peer",
        "localPref": "local preference, sent over iBGP only; 0 means none",
        "communities": "communities (RFC 1997), with the prefix `large:` large ones, or aliases",
        "largeCommunities": "large communities (RFC 8092)",
        "asPathPrepend": "how often our ASN is repeated in front of the path; default 0",
        "med": "MED; where the peer's lever is med it must be 0..200, a rank; default none",
        "aggregationLength": "IPv4 addresses go out together as blocks of this length; default 32",
        "aggregationLengthV6": "the same of IPv6 addresses; default 128",
        "distribution": "whether nodes are equal, or one is best and others stand by; default ecmp",
        "preferredNodes": "which nodes are wanted, with distribution activeStandby",
        "preferredNodes.weight": "how much; the weights of all that match add up",
        "preferredNodes.preference": "the nodes, by label",
        "weight": "endpoints: each node tells how many it has, as link bandwidth; default none",
        "priority": "which routes go first where a peer takes a limited number (maxPrefixes): the"
        " larger; default 0",
    },
    "BGPPeer": {
        "myASN": "our autonomous system, the same on all peers of a node; required without"
        " provider",
        "peerASN": "the router's autonomous system; required without provider",
        "localASN": "our autonomous system as this peer alone sees it",
        "peerAddress": "the router's address, once a node; required without provider, and beside"
        " it the one of its routers that is meant",
        "peerPort": "the router's TCP port; default 179",
        "sourceAddress": "our end of the session; default the Node's InternalIP",
        "routerID": "BGP Identifier, the same on all peers of a node or on none; default the "
        "Node's IPv4 InternalIP",
        "holdTime": "hold time as a duration; default 90s. Keepalives leave at a third of it",
        "holdTimeSeconds": "the same as a number",
        "keepaliveTime": "alone it makes the hold time three times as long; else no effect",
        "connectTime": "accepted without effect",
        "nodeSelectors": f"the nodes that speak with it: {_SELECTORS}",
        "password": "TCP MD5 key (RFC 2385)",
        "passwordFile": "a file on the node that holds the key",
        "ebgpMultiHop": "the router is more than one hop away",
        "ttlSecurity": "the least TTL accepted from the router (RFC 5082); 255 is one hop",
        "enableGracefulRestart": "graceful restart with 120 s",
        "gracefulRestart": "restart time in seconds that is offered (RFC 4724)",
        "takeover": "how the routes of a dead node lose",
        "takeover.mode": "when survivors outbid a dead node; default Auto",
        "takeover.lever": "what the router compares; default localPref for iBGP, else med",
        "maxPrefixes": "the most prefixes that the router accepts from one node",
        "damping": "the router dampens flaps, so raises share a budget",
        "families": "what the session carries; default the family of the session",
        "dualStackAddressFamily": "the session carries both families",
        "nextHopV4": "next hop of IPv4 routes over an IPv6 session; default the Node's InternalIP",
        "nextHopV6": "next hop of IPv6 routes over an IPv4 session; default the Node's InternalIP",
        "disableMP": "accepted without effect, as in MetalLB",
        "dynamicASN": f"whichever ASN the router has; {_NOT_DONE}, the peer gets no session",
        "interface": f"the interface of an unnumbered peer; {_NOT_DONE}, it gets no session",
        "vrf": f"the VRF of the session; {_NOT_DONE}, the peer gets no session",
        "bfdProfile": "the BFDProfile that watches the session; default none, and no BFD",
        "passwordSecret": "the Secret (kubernetes.io/basic-auth) with the key under password",
        "gateway": "the next hop of a host route to the router that we add, or default for that of"
        " the default route; default none",
        "provider": "whose routers they are: it tells their addresses, ASNs, sources, gateways,"
        " password, timers and limits; what stands here as well wins",
        "providerURL": "where the provider's document is; default the documented place",
        "providerTokenFile": "a file on the node with the token of the provider's API",
        "providerSite": "the data center: Linode's number or name, phoenixNAP's location",
    },
    "BFDProfile": {
        "receiveInterval": "milliseconds between packets that we want to hear; default 300",
        "transmitInterval": "milliseconds between packets that we want to send; default 300",
        "detectMultiplier": "packets missed until the other end counts as gone; default 3",
        "echoInterval": "accepted without effect: there are no echoes",
        "echoMode": f"whether echoes are sent; {_NOT_DONE}, BFD goes on without them",
        "passiveMode": "whether we wait for the router's first packet; default false",
        "minimumTtl": "the least TTL that is taken from a router more than one hop away; default "
        "254. Of a neighbor it is always 255 (RFC 5881)",
        "password": "key of meticulous keyed SHA1 (RFC 5880, section 6.7.4); default none",
        "passwordFile": "a file on the node that holds the key",
        "keyID": "the number of the key; default 1",
    },
    "Community": {
        "communities": "names for communities; each may be defined once",
        "communities.name": "what a BGPAdvertisement may say",
        "communities.value": "the community, or with the prefix `large:` a large one",
    },
    "L2Advertisement": {
        "ipAddressPools": f"the pools, by name; {_NOT_DONE}",
        "ipAddressPoolSelectors": f"the pools, by label; {_NOT_DONE}",
        "nodeSelectors": f"the nodes that may answer; {_NOT_DONE}",
        "serviceSelectors": f"the Services; {_NOT_DONE}",
        "interfaces": f"the interfaces that are answered on; {_NOT_DONE}",
        "preferredNodeSelectors": f"the nodes that answer rather than others; {_NOT_DONE}",
        "preferredNodeSelectors.weight": "how much they are wanted",
        "preferredNodeSelectors.preference": "the nodes, by label",
    },
    "HealthCheck": {
        "serviceSelectors": "the Services of its namespace that are asked; absent means all",
        "httpGet": "healthy: a GET is answered with one of the expected statuses",
        "httpGet.port": _PORT,
        "httpGet.path": "what is asked for; default /",
        "httpGet.host": "the Host header; default the address and port that are asked",
        "httpGet.headers": "headers that are sent beside it",
        "httpGet.statuses": "the statuses that are fine; default 200-399",
        "httpGet.body": "text that the first 64 KiB of the answer must hold",
        "httpGet.tls": "that it is there makes the probe speak TLS",
        "httpGet.tls.verify": "whether the certificate must be trusted; default false",
        "httpGet.tls.serverName": "the name that is asked for, and that the certificate is for",
        "httpGet.tls.caFile": "a file on the node with the authorities; default the system's",
        "tcpSocket": "healthy: a connection is accepted, and answered as expected",
        "tcpSocket.port": _PORT,
        "tcpSocket.send": "text that is sent once connected",
        "tcpSocket.expect": "text that the first 64 KiB received must hold",
        "tcpSocket.tls": "that it is there makes the probe speak TLS",
        "tcpSocket.tls.verify": "whether the certificate must be trusted; default false",
        "tcpSocket.tls.serverName": "the name that is asked for, and that the certificate is for",
        "tcpSocket.tls.caFile": "a file on the node with the authorities; default the system's",
        "dns": "healthy: a query (RFC 1035) is answered as expected",
        "dns.name": "the name that is asked for",
        "dns.type": "the type of its record; default A",
        "dns.port": f"{_PORT}, else 53",
        "dns.tcp": "whether TCP is spoken; default false",
        "dns.rcode": "the response code that is fine; default NOERROR",
        "dns.answers": "each must be among the answers; default any answer at all",
        "ntp": "healthy: a client's query (RFC 5905) is answered by a synchronized server",
        "ntp.port": f"{_PORT}, else 123",
        "ntp.maxStratum": "the largest stratum that is fine; default 15",
        "ntp.maxOffsetMilliseconds": "how far its clock may be from ours; default not looked at",
        "grpc": "healthy: grpc.health.v1.Health/Check answers SERVING",
        "grpc.port": _PORT,
        "grpc.service": "the service that is asked for; default the server as a whole",
        "grpc.tls": "that it is there makes the probe speak TLS",
        "grpc.tls.verify": "whether the certificate must be trusted; default false",
        "grpc.tls.serverName": "the name that is asked for, and that the certificate is for",
        "grpc.tls.caFile": "a file on the node with the authorities; default the system's",
        "exec": "healthy: a program beside the agent exits with 0; SERVICE, ADDRESS, PORT and NODE "
        "are in its environment",
        "exec.command": "the program's absolute path, then its arguments; there is no shell",
        "target": "what is asked: the endpoints on the node, of which one must answer; the elastic"
        " IPs, of which all must; or the node itself, 127.0.0.1; default Endpoint",
        "periodMilliseconds": "time between two probes; default 1000",
        "timeoutMilliseconds": "an answer that comes later is none; default: the period, at most"
        " 1000",
        "failureThreshold": "failures in a row until it is unhealthy; default 3",
        "successThreshold": "successes in a row until it is healthy again; default 1",
        "sourceAddress": "an address of the node that the probes come from; default the system's",
    },
    "SpeakerPolicy": {
        "nodeSelectors": f"the nodes that it is for: {_SELECTORS}",
        "mesh": "how the mesh beats",
        "mesh.intervalMilliseconds": "time between heartbeats; default 40",
        "mesh.multiplier": "heartbeats missed before a member is suspected; default 3",
        "agentGraceSeconds": "how long an absent agent changes nothing; default 300",
        "drain": "what drains a node: a person, the taint bgpd.io/drain and its own end; with "
        "OnCordon a cordon too; with WaitForConnections routes also wait until their TCP "
        "connections have ended, within the time of the drain; default OnRequest",
        "drainMilliseconds": "how long a drained route stays before it goes; default 1000; with "
        "WaitForConnections, how long connections are waited for; default 60000 there",
        "drainSeconds": "the same in seconds; one of both",
        "health": "what is looked at on the node; all of it costs next to nothing",
        "health.carrier": "the links towards the routers; default true",
        "health.gateway": "the next hops towards the routers; default true",
        "health.healthCheckNodePort": "the healthCheckNodePort of Services with traffic policy "
        "Local; default true",
        "health.kubelet": f"kubelet's health; default {_HEALTH.kubelet}",
        "health.kubeProxy": f"kube-proxy's health; default {_HEALTH.kube_proxy}",
        "health.doubtSeconds": "how long kubelet or kube-proxy, once heard, must be unhealthy until"
        " the node ranks behind others; default 10",
        "startup": "what a node that has booted waits for",
        "startup.delaySeconds": "once all else holds, before the first route; default 0",
        "startup.patienceSeconds": "how long what was there before the boot may be missing; default"
        " 60",
        "startup.slowStartSeconds": "how long the first routes rank behind others; default 0",
        "host": "what is done to the node itself",
        "host.egress": "whether its default route avoids a router that BFD says is gone; default "
        "false",
    },
}
"""What each field under `spec` means, by kind."""

_HEAD: Final = """# Documents

<!-- Written from bgpd.kube.reference; do not edit. -->

What bgpd reads, beside Services, EndpointSlices, Nodes, Namespaces and the Secrets of peers. The
documents of MetalLB (`metallb.io`) are read as well, with every field; where one kind and name
stands in both groups, ours holds. What is *not supported* is taken and said to be so, never passed
over in silence. Selectors are those of Kubernetes, with `matchLabels` and `matchExpressions`.
Examples are in `config/`.
"""


_OF_ALL: Final = re.compile(r"\.(matchLabels|matchExpressions)|^passwordSecret\.")
"""Fields that selectors and references have wherever they stand."""


def page() -> str:
    """Return the reference of our kinds as Markdown."""
    return "\n".join((_HEAD, *(line for kind in sorted(MEANINGS) for line in _kind(kind))))


def spec_fields(kind: str) -> Iterator[tuple[str, Field]]:
    """Yield the fields under `spec` of *kind* that the reference lists, without `spec.`."""
    for path, field in fields_of(kind).items():
        name = path.removeprefix("spec.")
        if name != path and not _OF_ALL.search(name):
            yield name, field


def _kind(kind: str) -> Iterator[str]:
    versions = ", ".join(f"`{version}`" for version, name in KINDS if name == kind)
    yield f"## {kind}\n"
    yield f"Versions: {versions}.\n"
    yield "| field under `spec` | type | legal | meaning |"
    yield "| --- | --- | --- | --- |"
    for name, field in spec_fields(kind):
        required = ", required" if field.required else ""
        yield f"| `{name}` | {field.type}{required} | {field.legal} | {MEANINGS[kind][name]} |"
    yield ""
