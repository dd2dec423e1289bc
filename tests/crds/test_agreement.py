"""The API server never refuses what bgpd takes, and takes no more than it has to.

Documents made of values at and beyond every edge are sent to both. The server may take one that
bgpd refuses for one of the few reasons that its language cannot say; they are listed here.
"""

import json
import re
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpd.kube.documents import read
from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster
from tests.crds.examples import definitions

LATE: Final = re.compile(
    r"overlaps .* of the same pool|runs backwards|stands twice in the list|"
    r"repeats a selector of the same list"
)
NUMBERS: Final = st.sampled_from(
    [-1, 0, 1, 2, 3, 10, 11, 32, 128, 255, 256, 4095, 4096, 64512, 65535, 65536, 10**6 + 1,
     2**32 - 1, 2**32, "1", 1.5, True]
)  # fmt: skip
TRUTHS: Final = st.sampled_from([True, False, "true", 1])
ADDRESSES: Final = st.sampled_from(
    ["", "192.0.2.1", "192.0.2.001", "2001:db8::1", "2001:DB8:0:0::1", "::", "0.0.0.0",
     "224.0.0.1", "ff02::1", "fe80::1%e", "1.2.3", "1.2.3.4 ", "1.2.3.4/32", "::ffff:192.0.2.1",
     "::192.0.2.1", "a", "1:2:3:4:5:6:7::", "12345::", "192.0.2.256"]
)  # fmt: skip
DURATIONS: Final = st.sampled_from(
    ["", "0", "00s", "2s", "3s", "03s", "90s", "1m30s", "1h", "18h12m15s", "18h12m16s", "65536s",
     "21845s", "21846s", "3000ms", "3500ms", "1h1h", "1s1m", "-3s", "+3s", "3", "3 s", "1.5m",
     "1000us", "999999999h", "9999999999s", "0h0m0s"]
)  # fmt: skip
URLS: Final = st.sampled_from(
    ["", "http://127.0.0.1", "https://[::1]:1/a?b", "http:/127.0.0.1", "ftp://127.0.0.1",
     "http://127.0.0.1 /b", "http://127.0.0.1/b c", "http://", "http://127.0.0.1/%zz",
     "http://127.0.0.1/ä", "http://127.0.0.1\n", "http://127.0.0.1#b", "http://127.0.0.1/#b",
     "http://127.0.0.1/" + "b" * 1008, "HTTP://127.0.0.1", "http://a", "http://localhost:10248/z",
     "http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://127.0.0.1:/", "http://1.2.3/",
     "http://127.0.0.1:010/", "http://[1.2.3.4]/", "http://::1/", "http://[::1%25e]/",
     "http://[fe80::1%e]/", "http://127.0.0.01/", "http://a@127.0.0.1/", "http://[::ffff:1.2.3.4]/"]
)  # fmt: skip
BLOCKS: Final = st.sampled_from(
    ["192.0.2.0/24", "192.0.2.7/24", "192.0.2.0/33", "192.0.2.0/024", "192.0.2.0/", "192.0.2.1",
     "/24", "::/0", "2001:db8::/64", "2001:db8::1/129", "192.0.2.1-192.0.2.9",
     "192.0.2.9-192.0.2.1", " 192.0.2.1 - 192.0.2.9", "192.0.2.1-", "-", "-192.0.2.1",
     "1.2.3.4--1.2.3.5", "2001:db8::9-2001:db8::1", "2001:db8::1-192.0.2.1",
     "192.0.2.0/255.255.255.0", "10.0.0.0/8 ", "fe80::1%a/64", "9.0.0.255-9.0.1.0",
     "::ffff:1.2.3.0/120"]
)  # fmt: skip
COMMUNITIES: Final = st.sampled_from(
    ["1:2", "65535:65535", "65536:1", "1:65536", "1", "1:2:3", ":", "a:b", "01:2", "00000000001:2",
     "edge", "12", "a b", "Ä", "x" * 63, "x" * 64, "a\tb", "\u0662", "large",
     " 1:2", "-1:2", "large:1:2:3", "large:4294967295:0:0", "large:4294967296:0:0", "large:1:2",
     "large:large:1:2:3", "4294967295:1:1", "4294967296:1:1", "1:2:3:4", ""]
)  # fmt: skip
NAMES: Final = st.sampled_from(
    ["a", "a-b", "a.b", "A", "-a", "a-", "", "a" * 253, "a" * 254, "a_b", "1", "ä"]
)
VALUES: Final = st.sampled_from(["x", "y", "z" * 63, "z" * 64])
SELECTORS: Final = st.lists(
    st.fixed_dictionaries({}, optional={
        "matchLabels": st.dictionaries(st.sampled_from(["a", "b"]), VALUES | st.just(1)),
        "matchExpressions": st.lists(
            st.fixed_dictionaries({}, optional={
                "key": st.sampled_from(["a", "b", "", "k" * 318]),
                "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "in"]),
                "values": st.lists(VALUES, max_size=2),
            }), max_size=2,
        ),
    }), max_size=2,
)  # fmt: skip


def few(one: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Return lists of up to three of *one*."""
    return st.lists(one, max_size=3)


PEER: Final = {
    "myASN": NUMBERS, "peerASN": NUMBERS, "localASN": st.sampled_from([64512, 64513, 64514, 0]),
    "peerAddress": ADDRESSES, "peerPort": NUMBERS, "sourceAddress": ADDRESSES,
    "routerID": ADDRESSES, "holdTime": DURATIONS, "holdTimeSeconds": NUMBERS,
    "keepaliveTime": DURATIONS, "connectTime": DURATIONS, "nodeSelectors": SELECTORS,
    "password": st.sampled_from(["", "x" * 80, "x" * 81, "ä", "a b", "a\tb", "\x7f"]),
    "passwordFile": st.sampled_from(["", "/k", "k", "/a b", "/a\nb", "/ä", "/\x7f"]),
    "ebgpMultiHop": TRUTHS, "ttlSecurity": NUMBERS, "gracefulRestart": NUMBERS,
    "takeover": st.sampled_from([{}, {"mode": "Auto"}, {"mode": "auto"}, {"lever": "med"},
                                 {"lever": "localPref"}, {"x": 1}, []]),
    "maxPrefixes": NUMBERS, "damping": TRUTHS,
    "families": few(st.sampled_from(["ipv4-unicast", "ipv6-unicast", "x"])),
    "nextHopV4": ADDRESSES, "nextHopV6": ADDRESSES, "vrf": st.sampled_from(["", "red"]),
    "passwordSecret": st.sampled_from([{}, {"name": ""}, {"name": "x"}]), "nope": st.just(1),
    "interface": st.sampled_from(["", "eth0", "x" * 254]),
    "dynamicASN": st.sampled_from(["", "internal", "external", "any"]),
    "bfdProfile": st.sampled_from(["", "fast"]),
}  # fmt: skip
PREFERENCES: Final = few(
    st.fixed_dictionaries({}, optional={
        "weight": NUMBERS, "preference": st.sampled_from([{}, {"matchLabels": {"a": "b"}}, []])
    })
)  # fmt: skip
ADVERTISEMENT: Final = {
    "ipAddressPools": few(NAMES), "peers": few(NAMES), "communities": few(COMMUNITIES),
    "largeCommunities": few(COMMUNITIES), "localPref": NUMBERS, "asPathPrepend": NUMBERS,
    "aggregationLength": NUMBERS, "aggregationLengthV6": NUMBERS, "nodeSelectors": SELECTORS,
    "serviceSelectors": SELECTORS, "med": NUMBERS, "preferredNodes": PREFERENCES,
    "distribution": st.sampled_from(["ecmp", "activeStandby", "standby"]),
    "weight": st.sampled_from(["none", "endpoints", ""]),
}  # fmt: skip
POOL: Final = {
    "addresses": st.lists(BLOCKS, min_size=1, max_size=3), "autoAssign": TRUTHS,
    "reserved": few(BLOCKS), "reuseDelay": DURATIONS,
    "serviceAllocation": st.fixed_dictionaries(
        {}, optional={"priority": NUMBERS, "namespaces": few(NAMES), "serviceSelectors": SELECTORS}
    ),
}  # fmt: skip
POLICY: Final = {
    "agentGraceSeconds": NUMBERS, "drainMilliseconds": NUMBERS, "nodeSelectors": SELECTORS,
    "drainSeconds": NUMBERS, "drain": st.sampled_from(["OnRequest", "OnCordon", "Always", ""]),
    "health": st.fixed_dictionaries({}, optional={
        "carrier": TRUTHS, "kubelet": URLS, "kubeProxy": URLS, "doubtSeconds": NUMBERS,
    }),
    "startup": st.fixed_dictionaries({}, optional={
        "delaySeconds": NUMBERS, "patienceSeconds": NUMBERS, "slowStartSeconds": NUMBERS,
    }),
    "host": st.fixed_dictionaries({}, optional={"egress": TRUTHS, "x": TRUTHS}),
    "mesh": st.fixed_dictionaries(
        {}, optional={"intervalMilliseconds": NUMBERS, "multiplier": NUMBERS, "x": NUMBERS}
    ),
}  # fmt: skip
COMMUNITY: Final = {
    "communities": few(st.fixed_dictionaries({}, optional={
        "name": COMMUNITIES, "value": COMMUNITIES, "x": NUMBERS
    })),
}  # fmt: skip
BFD: Final = {
    "receiveInterval": NUMBERS, "transmitInterval": NUMBERS, "detectMultiplier": NUMBERS,
    "echoInterval": NUMBERS, "echoMode": TRUTHS, "passiveMode": TRUTHS, "minimumTtl": NUMBERS,
    "password": st.sampled_from(["", "k", "k" * 20, "k" * 21, "a\tb", "\x7f"]),
    "passwordFile": st.sampled_from(["", "/k", "k"]), "keyID": NUMBERS,
}  # fmt: skip
LAYER2: Final = {
    "ipAddressPools": few(NAMES), "ipAddressPoolSelectors": SELECTORS, "nodeSelectors": SELECTORS,
    "serviceSelectors": SELECTORS, "preferredNodeSelectors": PREFERENCES,
    "interfaces": few(st.sampled_from(["eth0", "bond0.7", "", "x" * 64])),
}  # fmt: skip
TLS: Final = st.fixed_dictionaries({}, optional={
    "verify": TRUTHS, "serverName": st.sampled_from(["", "a", "a" * 254]),
    "caFile": st.sampled_from(["", "/a", "a"]),
})  # fmt: skip
TEXTS: Final = st.sampled_from(["", "a", "a\nb", "a" * 1024, "a" * 1025, "ä", "\x00", 1])
CHECK: Final = {
    "target": st.sampled_from(["Endpoint", "ElasticIP", "Host", "host"]),
    "periodMilliseconds": NUMBERS, "timeoutMilliseconds": NUMBERS, "failureThreshold": NUMBERS,
    "successThreshold": NUMBERS, "sourceAddress": ADDRESSES, "serviceSelectors": SELECTORS,
    "httpGet": st.fixed_dictionaries({}, optional={
        "port": NUMBERS, "body": TEXTS, "tls": TLS,
        "path": st.sampled_from(["", "/", "a", "/a b", "/\n", "/ä", "/" * 1024, "/" * 1025]),
        "host": st.sampled_from(["", "a.b:1", "[::1]:2", "a b", "a\n", "a" * 254, "a\n"]),
        "headers": st.dictionaries(
            st.sampled_from(["A", "a b", "", "a:", "X-Y", "ä", "a" * 129]),
            st.sampled_from(["", "b", "b\tc", "b\n", "ä", "b" * 1025, 1]), max_size=2,
        ),
        "statuses": few(st.sampled_from(
            ["200", "200-399", "399-200", "99", "600", "100-599", "200 - 300", "", 200, "200\n"]
        )),
    }),
    "tcpSocket": st.fixed_dictionaries(
        {}, optional={"port": NUMBERS, "send": TEXTS, "expect": TEXTS, "tls": TLS}
    ),
    "dns": st.fixed_dictionaries({}, optional={
        "name": st.sampled_from(["", ".", "a", "a.", "a..b", "_a._b.c", "a" * 64, "a b", "ä",
                                 "*.a", "a\n", ".".join(["a" * 63] * 4)]),
        "type": st.sampled_from(["A", "a", "ANY", "SRV"]), "tcp": TRUTHS, "port": NUMBERS,
        "rcode": st.sampled_from(["NOERROR", "NXDOMAIN", "OK"]), "answers": few(TEXTS),
    }),
    "ntp": st.fixed_dictionaries(
        {}, optional={"port": NUMBERS, "maxStratum": NUMBERS, "maxOffsetMilliseconds": NUMBERS}
    ),
    "grpc": st.fixed_dictionaries(
        {}, optional={"port": NUMBERS, "service": st.sampled_from(["", "a" * 254]), "tls": TLS}
    ),
    "exec": st.fixed_dictionaries({}, optional={
        "command": few(st.sampled_from(["/a", "a", "", "/", "/\x00", "/" * 4097, "-v"])),
    }),
}  # fmt: skip
LEAST: Final[dict[str, dict[str, Any]]] = {
    "BGPPeer": {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1"},
    "BGPAdvertisement": {}, "SpeakerPolicy": {}, "IPAddressPool": {"addresses": ["192.0.2.0/24"]},
    "Community": {}, "BFDProfile": {}, "L2Advertisement": {}, "HealthCheck": {"tcpSocket": {}},
}  # fmt: skip
FIELDS: Final[dict[str, dict[str, st.SearchStrategy[Any]]]] = {
    "BGPPeer": PEER, "BGPAdvertisement": ADVERTISEMENT, "IPAddressPool": POOL,
    "SpeakerPolicy": POLICY, "Community": COMMUNITY, "BFDProfile": BFD, "L2Advertisement": LAYER2,
    "HealthCheck": CHECK,
}  # fmt: skip


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a document that is valid but for what up to three of its fields say."""
    kind = draw(st.sampled_from(sorted(FIELDS)))
    chosen = draw(st.lists(st.sampled_from(sorted(FIELDS[kind])), max_size=3, unique=True))
    gone = draw(st.sampled_from([None, *sorted(LEAST[kind])]))
    least = {name: value for name, value in LEAST[kind].items() if name != gone}
    spec = least | {name: draw(FIELDS[kind][name]) for name in chosen}
    head = {"apiVersion": "bgpd.io/v1alpha1", "kind": kind, "metadata": {"name": "any"}}
    return {**head, "spec": spec}


@pytest.fixture(scope="module")
def served(cluster: Cluster) -> Cluster:
    """Return an API server that knows our kinds."""
    cluster.apply(definitions())
    return cluster


def refusal(cluster: Cluster, document: dict[str, Any]) -> str:
    """Return what the server has against *document*; the empty text where it takes it."""
    path = cluster.api.path(document).rpartition("/")[0]
    try:
        cluster.api.request("POST", path, document, fieldValidation="Strict", dryRun="All")
    except ApiError as error:
        if error.status not in {400, 422}:
            raise
        return str(error)
    return ""


@settings(
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(document=documents())
def test_both_agree_on_any_document(served: Cluster, document: dict[str, Any]) -> None:
    """Same verdict, but for what the server's language cannot say; and no rule of it fails."""
    found = read("any.json", json.dumps(document).encode())
    refused = [one.message for one in found.problems if one.refused]
    said = refusal(served, document)
    assert "evaluating rule" not in said
    if said:
        assert refused, said
    elif refused:
        assert all(LATE.search(one) for one in refused), refused
