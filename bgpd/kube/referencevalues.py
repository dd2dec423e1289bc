"""A value for every field of every kind, of which `referencefile` makes documents that hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """A value that is shown behind a `#`."""

    value: Any
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One document of the file."""

    kind: str
    name: str
    about: str
    spec: Mapping[str, Any]


_RACK: Final = [{"matchLabels": {"rack": "a"}}]
_NO_EFFECT: Final = "accepted, but has no effect"
_UNSUPPORTED: Final = "not supported"
_ALONE: Final = "in place of the one above"
_TLS: Final = {"verify": True, "serverName": "www.example.com", "caFile": "/etc/bgpd/ca.pem"}

SAMPLES: Final[Sequence[Sample]] = (
    Sample(
        kind="IPAddressPool",
        name="public",
        about="The addresses that Services of type LoadBalancer may have.",
        spec={
            "addresses": ["203.0.113.0/26", "2001:db8:100::/120"],
            "autoAssign": True,
            "avoidBuggyIPs": False,
            "serviceAllocation": {
                "priority": 50,
                "namespaces": ["default"],
                "namespaceSelectors": [{"matchLabels": {"team": "web"}}],
                "serviceSelectors": [
                    {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["front"]}]}
                ],
            },
            "reserved": ["203.0.113.1-203.0.113.9"],
            "reuseDelay": "10m",
            "bindOnHost": False,
        },
    ),
    Sample(
        kind="BGPAdvertisement",
        name="public",
        about="Which addresses are advertised to which peers, from which nodes, and how.",
        spec={
            "ipAddressPools": ["public"],
            "ipAddressPoolSelectors": [{"matchLabels": {"use": "public"}}],
            "nodeSelectors": _RACK,
            "serviceSelectors": [{"matchLabels": {"tier": "front"}}],
            "peers": ["tor-a"],
            "localPref": 0,
            "communities": ["64512:100", "large:64512:1:100", "primary"],
            "largeCommunities": ["64512:1:200"],
            "asPathPrepend": 0,
            "med": 0,
            "aggregationLength": 32,
            "aggregationLengthV6": 128,
            "distribution": "activeStandby",
            "preferredNodes": [{"weight": 100, "preference": {"matchLabels": {"disk": "fast"}}}],
            "weight": "none",
            "priority": 100,
        },
    ),
    Sample(
        kind="BGPPeer",
        name="tor-a",
        about="A router, with everything that can be said about one.",
        spec={
            "myASN": 64512,
            "peerASN": 64601,
            "localASN": 64513,
            "peerAddress": "192.0.2.1",
            "peerPort": 179,
            "sourceAddress": Off(value="192.0.2.11", why="for a peer of a single node"),
            "routerID": Off(value="192.0.2.11", why="for a peer of a single node"),
            "holdTime": "90s",
            "holdTimeSeconds": Off(value=90, why=_ALONE),
            "keepaliveTime": Off(value="30s", why="in place of the hold time"),
            "connectTime": Off(value="10s", why=_NO_EFFECT),
            "nodeSelectors": _RACK,
            "passwordSecret": {"name": "tor-a"},
            "passwordFile": Off(value="/etc/bgpd/passwords/tor-a/password", why=_ALONE),
            "password": Off(value="a key that everybody can read", why=_ALONE),
            "ebgpMultiHop": True,
            "ttlSecurity": Off(value=255, why="in place of ebgpMultiHop"),
            "gracefulRestart": 120,
            "enableGracefulRestart": Off(value=True, why=_ALONE),
            "takeover": {"mode": "Auto", "lever": "med"},
            "maxPrefixes": 500,
            "damping": False,
            "families": ["ipv4-unicast", "ipv6-unicast"],
            "dualStackAddressFamily": Off(value=True, why="in place of families"),
            "nextHopV4": Off(value="192.0.2.11", why="for IPv4 over an IPv6 session"),
            "nextHopV6": "2001:db8::11",
            "disableMP": Off(value=False, why=_NO_EFFECT),
            "dynamicASN": Off(value="external", why=_UNSUPPORTED),
            "interface": Off(value="eth0", why=_UNSUPPORTED),
            "vrf": Off(value="red", why=_UNSUPPORTED),
            "bfdProfile": "fast",
            "gateway": "default",
        },
    ),
    Sample(
        kind="BGPPeer",
        name="provided",
        about="The routers that a provider's metadata tells.",
        spec={
            "provider": "cherry",
            "providerURL": "https://api.cherryservers.com/v1/servers/12345",
            "providerTokenFile": "/etc/bgpd/keys/cherry-token",
            "providerSite": Off(value="newark", why="for linode and phoenixnap"),
        },
    ),
    Sample(
        kind="BFDProfile",
        name="fast",
        about="How BFD watches the sessions of the peers that name it.",
        spec={
            "receiveInterval": 50,
            "transmitInterval": 50,
            "detectMultiplier": 3,
            "echoInterval": Off(value=50, why=_NO_EFFECT),
            "echoMode": Off(value=True, why=_UNSUPPORTED),
            "passiveMode": False,
            "minimumTtl": 254,
            "passwordFile": "/etc/bgpd/keys/bfd",
            "password": Off(value="readable by all", why=_ALONE),
            "keyID": 1,
        },
    ),
    Sample(
        kind="Community",
        name="names",
        about="Names for communities.",
        spec={"communities": [{"name": "primary", "value": "64512:200"}]},
    ),
    Sample(
        kind="HealthCheck",
        name="http",
        about="What each node asks of the Services beside it. It has one probe; here HTTP.",
        spec={
            "serviceSelectors": [{"matchLabels": {"app": "web"}}],
            "httpGet": {
                "port": 8443,
                "path": "/healthz",
                "host": "www.example.com",
                "headers": {"X-Probe": "bgpd"},
                "statuses": ["200", "204"],
                "body": "ok",
                "tls": _TLS,
            },
            "target": "Endpoint",
            "periodMilliseconds": 1000,
            "timeoutMilliseconds": 500,
            "failureThreshold": 3,
            "successThreshold": 1,
            "sourceAddress": "192.0.2.11",
        },
    ),
    Sample(
        kind="HealthCheck",
        name="tcp",
        about="A TCP connection.",
        spec={"tcpSocket": {"port": 5432, "send": "hello\n", "expect": "welcome", "tls": _TLS}},
    ),
    Sample(
        kind="HealthCheck",
        name="resolver",
        about="A DNS query.",
        spec={
            "dns": {
                "name": "www.example.com",
                "type": "A",
                "port": 53,
                "tcp": False,
                "rcode": "NOERROR",
                "answers": ["192.0.2.10"],
            }
        },
    ),
    Sample(
        kind="HealthCheck",
        name="time",
        about="An NTP query.",
        spec={"ntp": {"port": 123, "maxStratum": 4, "maxOffsetMilliseconds": 50}},
    ),
    Sample(
        kind="HealthCheck",
        name="grpc",
        about="The gRPC health protocol.",
        spec={"grpc": {"port": 9090, "service": "shop.Cart", "tls": _TLS}},
    ),
    Sample(
        kind="HealthCheck",
        name="program",
        about="A program of yours.",
        spec={"exec": {"command": ["/usr/local/bin/look", "--quick"]}},
    ),
    Sample(
        kind="SpeakerPolicy",
        name="default",
        about="How the speakers behave. Without one, the defaults hold.",
        spec={
            "nodeSelectors": _RACK,
            "mesh": {"intervalMilliseconds": 40, "multiplier": 3},
            "agentGraceSeconds": 300,
            "drain": "OnRequest",
            "drainMilliseconds": 1000,
            "drainSeconds": Off(value=1, why=_ALONE),
            "health": {
                "carrier": True,
                "gateway": True,
                "healthCheckNodePort": True,
                "kubelet": "http://127.0.0.1:10248/healthz",
                "kubeProxy": "http://127.0.0.1:10256/healthz",
                "doubtSeconds": 10,
            },
            "startup": {"delaySeconds": 0, "patienceSeconds": 60, "slowStartSeconds": 0},
            "host": {"egress": False},
        },
    ),
)
"""Every kind of ours, every field at least once. L2Advertisement is MetalLB's alone."""
