"""Random changes of everything that an agent reads, some of them invalid.

An object becomes invalid only where nothing else was done to it since the last quiet point: of two
changes during an outage an agent sees the last alone, so only then is its last good version known.
"""

import http.client
import random
import threading
import time
from collections import Counter
from typing import Any, Final

from tests.bench.agent import NAMESPACE, NODE
from tests.bench.oracle import INVALID, Document, Name
from tests.cluster.api import Api, ApiError

SERVICES: Final = 40
_PAUSE: Final = 0.02
"""Seconds between two changes."""
_AWAY: Final = 0.1
_NODES: Final = tuple(f"n{i}" for i in range(1, 7))
_POOLS: Final = tuple(f"p{i}" for i in range(4))
_PEERS: Final = tuple(f"r{i}" for i in range(4))
_RULES: Final = tuple(f"a{i}" for i in range(4))
_STAY: Final = frozenset(
    {("Node", NODE), ("IPAddressPool", "p0"), ("BGPPeer", "r0"), ("BGPAdvertisement", "a0")}
)
"""Never deleted: the last pool and the last peer are held, and without its Node an agent waits.

The last advertisement is held where the server dies as it goes: so it looks when a CRD goes."""
_WRONG: Final[dict[str, Document]] = {
    "IPAddressPool": {"addresses": ["nonsense"]},
    "BGPPeer": {"myASN": 0, "peerASN": 64513, "peerAddress": "192.0.2.300"},
    "BGPAdvertisement": {"communityList": ["65000:1"]},
    "SpeakerPolicy": {"drainMilliseconds": -1},
}
_SHARES: Final = {
    "Service": 0.6,
    "EndpointSlice": 0.6,
    "Node": 0.4,
    "IPAddressPool": 0.4,
    "BGPPeer": 0.4,
    "BGPAdvertisement": 0.4,
    "SpeakerPolicy": 0.5,
}
"""How much of each kind changes between two quiet points; the rest must not feel it."""
_WEIGHTS: Final = {"Service": 2, "EndpointSlice": 3, "Node": 4}
_TRAFFIC: Final = frozenset({"Service", "EndpointSlice"})
_CONFIGURATION: Final = 8
"""How often one is chosen beside another."""


class Churn:
    """Writes at random; everything that it may have touched is in `touched`."""

    def __init__(self, api: Api, seed: int) -> None:
        """Write by way of *api*."""
        self.touched: set[Name] = set()
        self.counters: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self._api = api
        self._random = random.Random(seed)
        self._names = _names()
        self._active: list[Name] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def fill(self) -> None:
        """Write a first version of everything."""
        for name in self._names:
            self._api.apply(self._document(name), _namespace(name))

    def start(self) -> None:
        """Begin to change a random part of the objects."""
        self.touched = set()
        self._active = [
            name for name in self._names if self._random.random() < _SHARES.get(name[0], 0.5)
        ]
        if self._random.random() < 0.6:
            # Our own Node, pools and peers may change every route: then none would have to stay.
            self._active = [name for name in self._active if name[0] in _TRAFFIC]
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Return when the last change is done."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._api.close()

    def _run(self) -> None:
        while not self._stop.wait(_PAUSE):
            if not self._active:
                return
            name = self._choose()
            try:
                self._change(name)
            except ApiError as error:
                self.counters[f"answered {error.status}"] += 1
                if error.status in {400, 422}:
                    self.refusals[str(error)] += 1
            except (OSError, http.client.HTTPException):
                self.counters["not answered"] += 1
                time.sleep(_AWAY)

    def _choose(self) -> Name:
        weights = [_WEIGHTS.get(kind, _CONFIGURATION) for kind, _ in self._active]
        return self._random.choices(self._active, weights)[0]

    def _change(self, name: Name) -> None:
        fresh = name not in self.touched
        self.touched.add(name)
        dice = self._random.random()
        if dice < 0.2 and name not in _STAY:
            self.counters["deletions"] += 1
            self._api.delete(self._document(name), _namespace(name))
        elif dice < 0.45 and fresh and name[0] in _WRONG:
            self.counters["invalid"] += 1
            self._api.apply(_invalid(self._document(name)), _namespace(name))
        else:
            self.counters["writes"] += 1
            self._api.apply(self._document(name), _namespace(name))

    def _document(self, name: Name) -> Document:
        kind, own = name
        make = {
            "Node": self._node,
            "Service": self._service,
            "EndpointSlice": self._slice,
            "IPAddressPool": self._pool,
            "BGPPeer": self._peer,
            "BGPAdvertisement": self._rule,
            "SpeakerPolicy": self._policy,
        }
        return {"kind": kind, **make[kind](own)}

    def _node(self, own: str) -> Document:
        labels = {"zone": self._one_of("a", "b")}
        if self._random.random() < 0.1:
            labels["node.kubernetes.io/exclude-from-external-load-balancers"] = ""
        address = {"type": "InternalIP", "address": f"192.0.2.{own[1:]}"}
        metadata = {"name": own, "labels": labels}
        return {"apiVersion": "v1", "metadata": metadata, "status": {"addresses": [address]}}

    def _service(self, own: str) -> Document:
        number = int(own[1:])
        metadata = {"name": own, "labels": {"tier": self._one_of("a", "b")}}
        spec = {
            "type": self._one_of("LoadBalancer", "LoadBalancer", "LoadBalancer", "ClusterIP"),
            "externalTrafficPolicy": self._one_of("Local", "Cluster"),
            "allocateLoadBalancerNodePorts": False,
            "ports": [{"port": 80}],
        }
        if spec["type"] == "ClusterIP":
            spec = {"type": "ClusterIP", "ports": spec["ports"]}
            return {"apiVersion": "v1", "metadata": metadata, "spec": spec}
        hosts = [number, number, number, 200 + number % 3]
        address = f"10.200.{number % 5}.{self._one_of(*hosts)}"
        status = {"loadBalancer": {"ingress": [{"ip": address}]}}
        return {"apiVersion": "v1", "metadata": metadata, "spec": spec, "status": status}

    def _slice(self, own: str) -> Document:
        service = own.partition("-")[0]
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "metadata": {"name": own, "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "endpoints": [
                {
                    "addresses": [f"10.244.{number}.{self._random.randrange(1, 200)}"],
                    "conditions": {"ready": self._random.random() < 0.7},
                    "nodeName": self._one_of(NODE, NODE, *_NODES),
                }
                for number in range(self._random.randrange(4))
            ],
        }

    def _pool(self, own: str) -> Document:
        blocks = [f"10.200.{own[1:]}.0/{self._one_of('24', '25')}"]
        return _ours(own, {"addresses": blocks})

    def _peer(self, own: str) -> Document:
        spec: Document = {"myASN": 64512, "peerASN": 64513, "peerAddress": f"192.0.2.20{own[1:]}"}
        spec["holdTime"] = self._one_of("9s", "90s")
        if self._random.random() < 0.3:
            spec["nodeSelectors"] = [{"matchLabels": {"zone": self._one_of("a", "b")}}]
        return _ours(own, spec)

    def _rule(self, own: str) -> Document:
        spec: Document = {"communities": [f"65000:{self._random.randrange(9)}"]}
        if self._random.random() < 0.6:
            spec["ipAddressPools"] = sorted(self._random.sample(_POOLS, 2))
        if self._random.random() < 0.3:
            spec["nodeSelectors"] = [{"matchLabels": {"zone": self._one_of("a", "b")}}]
        if self._random.random() < 0.3:
            spec["serviceSelectors"] = [{"matchLabels": {"tier": self._one_of("a", "b")}}]
        return _ours(own, spec)

    def _policy(self, own: str) -> Document:
        return _ours(own, {"drainMilliseconds": self._random.randrange(100, 900)})

    def _one_of(self, *texts: Any) -> Any:
        return self._random.choice(texts)


def _ours(own: str, spec: Document) -> Document:
    return {"apiVersion": "bgpd.io/v1alpha1", "metadata": {"name": own}, "spec": spec}


def _invalid(document: Document) -> Document:
    metadata = {**document["metadata"], "annotations": {INVALID: "yes"}}
    return {**document, "metadata": metadata, "spec": _WRONG[document["kind"]]}


def _names() -> list[Name]:
    services = [f"s{i}" for i in range(SERVICES)]
    return [
        *(("Node", one) for one in _NODES),
        *(("IPAddressPool", one) for one in _POOLS),
        *(("BGPPeer", one) for one in _PEERS),
        *(("BGPAdvertisement", one) for one in _RULES),
        ("SpeakerPolicy", "policy"),
        *(("Service", one) for one in services),
        *(("EndpointSlice", f"{one}-{part}") for one in services for part in "ab"),
    ]


def _namespace(name: Name) -> str:
    return NAMESPACE if name[0] in _WRONG else "default"
