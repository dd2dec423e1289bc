"""Areas `config`, `validation_*` and `community`: what holds, and what is refused."""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from msgspec import convert, to_builtins

from bgpd.kube.nodecondition import INVALIDATING
from bgpd.kube.objects import BGPPeer as BGPPeerForm
from bgpd.kube.problem import Standing
from bgpd.model.configuration import BGPAdvertisement, BGPPeer
from bgpd.model.prefix import Family, family_of
from bgpd.policy.conditions import REFUSED
from tests.conformance import documents
from tests.conformance.agent import Agent
from tests.conformance.cluster import NodeRoom
from tests.conformance.documents import Document
from tests.conformance.room import Fields, InexpressibleError, in_order, listed

_STRICT: Final = "reject an aggregate that covers addresses outside the pool"


class ConfigRoom(NodeRoom):
    """Documents of every kind, and the nodes that read them."""

    def begin(self) -> None:
        """Write the documents; nobody has read them yet."""
        given = self.given
        nodes_given = given.take("nodes") or ["n1"]
        labels = nodes_given if isinstance(nodes_given, Mapping) else {}
        self._nodes = [str(one) for one in nodes_given]
        # What the nodes are is of no interest to most cases, but a peer may say that it is all.
        self._filled = self.case.area == "validation_frr"
        self._documents: list[Document] = [
            *self._pools(),
            *self._bfd(),
            *self._communities(),
            *self._peers(),
            *self._advertisements(),
        ]
        self._old: list[Document] = []
        if "existing_peer" in given:
            self._old = [documents.peer("p", given.map("existing_peer"), filled=True)]
        self.agents = {name: Agent(name) for name in self._nodes}
        self.agent = self.agents[self._nodes[0]]
        nodes = [
            documents.node(name, labels.get(name), number=n)
            for n, name in enumerate(self._nodes, 1)
        ]
        for agent in self.agents.values():
            agent.put(*nodes, *self._old)
            if agent.refusals:
                raise InexpressibleError(f"what is given is refused: {agent.refusals}")
        self._before = {name: self.agent.session(name) for name in self.agent.sessions}

    def _pools(self) -> list[Document]:
        defaults = self.defaults("pool")
        if self.case.area == "community":
            # A community is seen on what is advertised of a pool.
            return self.pools(Fields({"p": {"addresses": ["198.51.100.0/24"]}}, "pools"))
        listed_ = self._list("pools_list")
        found = [documents.pool(None, one, defaults) for one in listed_]
        return self.pools(self.given.map("pools")) + found

    def _bfd(self) -> list[Document]:
        named = self.given.map("bfd")
        found = [
            documents.bfd(name, Fields(one or {}, f"given.bfd.{name}"))
            for name, one in named.items()
        ]
        if self.case.area != "config":
            # Only there a profile that is missing can be what the case is about.
            peers = self.case.given.get("peers") or []
            every = [*(peers.values() if isinstance(peers, Mapping) else peers)]
            every += [self.case.given.get("peer")]
            missing = {str((one or {}).get("bfdProfile", "")) for one in every} - {"", *self._bfds}
            found += [documents.bfd(name, Fields({}, name)) for name in sorted(missing)]
        return found + [documents.bfd(None, one) for one in self._list("bfd_list")]

    @property
    def _bfds(self) -> set[str]:
        return set(self.case.given.get("bfd") or {})

    def _communities(self) -> list[Document]:
        found = []
        for name, values in self.given.map("aliases").items():
            found.append(documents.community(name, values))
        return found

    def _peers(self) -> list[Document]:
        peers = self.given.take("peers") or {}
        if isinstance(peers, list):
            peers = {f"p{number}": one for number, one in enumerate(peers, 1)}
        if "peer" in self.given:
            peers = {**peers, "p": self.given.take("peer")}
        filled = self._filled or self.case.area == "validation_native"
        found = [
            documents.peer(
                name,
                Fields(one or {}, f"given.peers.{name}"),
                nodes=self._nodes,
                filled=filled,
                number=number,
            )
            for number, (name, one) in enumerate(peers.items(), 1)
        ]
        listed_ = self._list("peers_list")
        if not peers and not listed_ and "existing_peer" not in self.given:
            found = self._unnamed_peers()
        return found + [documents.peer(None, one, filled=False) for one in listed_]

    def _unnamed_peers(self) -> list[Document]:
        """Return the peers that advertisements name, or one that all of them reach."""
        ads = [*(self.case.given.get("advertisements") or {}).values()]
        ads += listed(self.case.given.get("advertisements_list"))
        names = sorted({name for one in ads for name in listed((one or {}).get("peers"))})
        if not ads:
            return []
        return self.peers(Fields({name: {} for name in names or ["peer1"]}, "peers"))

    def _advertisements(self) -> list[Document]:
        defaults = self.defaults("advertisement")
        listed_ = self._list("advertisements_list")
        found = [documents.advertisement(None, one, defaults, self._nodes) for one in listed_]
        if "value" in self.given:
            value = Fields({"communities": [self.given.take("value")]}, "given.value")
            found.append(documents.advertisement("a", value, defaults))
        return self.advertisements(self.given.map("advertisements"), self._nodes) + found

    def _list(self, key: str) -> list[Fields]:
        given = self.given.take(key) or []
        return [Fields(one or {}, f"given.{key}[{place}]") for place, one in enumerate(given)]

    # What happens

    def op_parse(self, _step: Fields) -> None:
        """Let every node read the documents."""
        for agent in self.agents.values():
            agent.put(*self._documents)
        self._judge()

    op_validate = op_parse_native = op_parse_frr = op_run = op_parse

    def op_update(self, step: Fields) -> None:
        """Change fields of the peer that exists."""
        (old,) = self._old
        new = {**old, "spec": {**old["spec"], **step.rest()}}
        for agent in self.agents.values():
            agent.put(new)
        self._judge()

    def _judge(self) -> None:
        found = list(dict.fromkeys(one for agent in self.agents.values() for one in _errors(agent)))
        if found:
            self.error("; ".join(found))
        else:
            self.ok()

    # What is seen

    def see_transient(self, _expected: bool) -> object:
        """Return whether the error goes when what is missing appears and nothing else changes."""
        if "error" not in self.results:
            return "there is no error"
        missing = [*self._missing_aliases(), *self._missing_profiles()]
        if not missing:
            return False
        for agent in self.agents.values():
            agent.put(*missing)
        return not any(_errors(agent) for agent in self.agents.values())

    def _missing_aliases(self) -> list[Document]:
        named = {
            str(one)
            for document in self._documents
            for one in listed(document["spec"].get("communities"))
            if isinstance(one, str) and ":" not in one
        }
        values = [{"name": one, "value": "64512:1"} for one in sorted(named)]
        return [documents.community("appears", values)] if values else []

    def _missing_profiles(self) -> list[Document]:
        named = {document["spec"].get("bfdProfile") for document in self._documents} - {None}
        there = {d["metadata"].get("name") for d in self._documents if d["kind"] == "BFDProfile"}
        return [documents.bfd(one, Fields({}, "appears")) for one in sorted(named - there)]

    def see_strict_mode(self, expected: str) -> object:
        """Return *expected* where no route reaches beyond its pool, be the document refused or not.

        To see that, a Service has the first address of each block of each pool.
        """
        if expected != _STRICT:
            raise InexpressibleError(f"want.strict_mode {expected!r} has no fixed reading")
        if any("aggregationLength" in one for one in self.said):
            return expected
        blocks = [ip_network(b) for pool in self.agent.store.objects.pools for b in pool.prefixes]
        ingress = [str(one.network_address) for one in blocks]
        service = self.service("svc", Fields({"ingress": ingress}, "svc"))
        self.agent.put(service, self.slice_of(service))
        routes = {ip_network(one) for found in self.agent.routes.values() for one in found}
        beyond = [one for one in routes if not any(_inside(one, block) for block in blocks)]
        if not routes:
            return "no route"
        return f"routes {', '.join(map(str, beyond))}" if beyond else expected

    def see_session_restarted(self, _expected: bool) -> object:
        """Return whether the edit sets a session up anew."""
        return self._before != {name: self.agent.session(name) for name in self.agent.sessions}

    def see_ignored(self, _expected: list[str]) -> object:
        """Return the fields that are told to have no effect."""
        return self._told(Standing.IGNORED)

    def see_not_supported(self, _expected: list[str]) -> object:
        """Return the fields that are told to be not supported."""
        return self._told(Standing.UNSUPPORTED)

    def _told(self, standing: Standing) -> list[str]:
        found = {one.path for one in self.agent.store.problems if one.standing is standing}
        return sorted(one.removeprefix("spec.") for one in found)

    def see_sessions(self, expected: Any) -> object:
        """Return the sessions of each node, in the words of *expected*."""
        if not isinstance(expected, Mapping):
            return in_order(self.agent.sessions, expected)
        for name in expected:
            if name not in self.agents:
                raise InexpressibleError(f"there is no node {name}")
        return {name: self._session(self.agents[name], one) for name, one in expected.items()}

    def _session(self, agent: Agent, wanted: Any) -> object:
        peers = agent.planner.context.peers if agent.planner.context else ()
        if len(peers) != 1 or not agent.sessions:
            return agent.sessions
        values = {
            "localASN": peers[0].local_asn,
            "peerASN": peers[0].peer_asn,
            "address": peers[0].address,
            "routerID": peers[0].router_id,
        }
        unknown = wanted.keys() - values.keys()
        if unknown:
            raise InexpressibleError(f"a session has no {', '.join(sorted(unknown))}")
        return {key: values[key] for key in wanted}

    def see_peers(self, expected: Mapping[str, Any]) -> object:
        """Return the peers that hold, by name."""
        held = {one.name: one for one in self.agent.store.objects.all_peers}
        return {str(n): self._peer(one, expected.get(n, {})) for n, one in held.items()}

    def see_peer(self, expected: Mapping[str, Any]) -> object:
        """Return the only peer."""
        held = self.agent.store.objects.all_peers
        if len(held) != 1:
            return f"{len(held)} peers"
        return self._peer(held[0], expected)

    def _peer(self, one: BGPPeer, wanted: Mapping[str, Any]) -> dict[str, Any]:
        found = {key: look(one) for key, look in _PEER.items() if key in wanted}
        # What makes no session is kept in the document alone, as it was read.
        written = convert(self.agent.document("BGPPeer", one.name), BGPPeerForm)
        read = to_builtins(written.spec)
        unknown = sorted(wanted.keys() - found.keys() - read.keys())
        if unknown:
            raise InexpressibleError(f"a peer has no {', '.join(unknown)} to look at")
        return {key: found.get(key, read.get(key)) for key in wanted}

    def see_pools(self, expected: Mapping[str, Any]) -> object:
        """Return the pools that hold, by name."""
        held = {one.name: one for one in self.agent.store.objects.pools}
        return {name: _pool(one, expected.get(name, {})) for name, one in held.items()}

    def see_bfd_profiles(self, _expected: Mapping[str, Any]) -> object:
        """Return the BFD profiles that hold, by name."""
        held = {key.name for key in self.agent.store.objects if key.kind == "BFDProfile"}
        return {name: {} for name in sorted(held)}

    def see_cidrs(self, _expected: list[str]) -> object:
        """Return the blocks of the only pool."""
        held = self.agent.store.objects.pools
        return [str(one) for pool in held for one in pool.prefixes]

    def see_attached(self, expected: Mapping[str, Any]) -> object:
        """Return the advertisements of each pool."""
        context = self.agent.planner.context
        assert context is not None
        found = {}
        for name, ads in expected.items():
            rules = context.rules.get(name)
            if rules is None:
                raise InexpressibleError(f"there is no pool {name}")
            found[name] = in_order([*(one.name for one in rules.here), *rules.elsewhere], ads)
        return found

    def see_kind(self, _expected: str) -> object:
        """Return of which kind the only community is: `standard` or `large`."""
        kinds = ["large" if one.startswith("large:") else "standard" for one in self._values()]
        return kinds[0] if len(kinds) == 1 else kinds

    def see_value(self, _expected: str) -> object:
        """Return the only community, whatever name stood for it."""
        found = self._values()
        return found[0] if len(found) == 1 else found

    def _values(self) -> list[str]:
        context = self.agent.planner.context
        if context is None or "p" not in context.rules or not context.rules["p"].here:
            return []
        (one,) = context.rules["p"].here
        return [*one.communities, *(f"large:{large}" for large in one.large_communities)]

    def see_advertisement(self, expected: Mapping[str, Any]) -> object:
        """Return the only advertisement."""
        held = list(self._held().values())
        return _advertisement(held[0], expected) if len(held) == 1 else f"{len(held)} of them"

    def see_advertisements(self, expected: Mapping[str, Any]) -> object:
        """Return the advertisements that hold, by name."""
        held = self._held()
        return {name: _advertisement(one, expected.get(name, {})) for name, one in held.items()}

    def _held(self) -> dict[str, BGPAdvertisement]:
        """Return the advertisements that hold, with communities in the place of their names."""
        context = self.agent.planner.context
        rules = context.rules.values() if context else ()
        return {one.name: one for rule in rules for one in (*rule.here, *rule.elsewhere)}


def _errors(agent: Agent) -> list[str]:
    """Return what is wrong, and what a peer names that is not there."""
    missing = [
        one.message
        for one in agent.planner.conditions
        if one.type in INVALIDATING - {REFUSED}
        or (one.type == "ReferenceMissing" and one.message.startswith("BGPPeer"))
    ]
    return agent.refusals + missing


_PEER: Final[Mapping[str, Callable[[BGPPeer], Any]]] = {
    "holdTime": lambda one: f"{one.hold_time}s",
    "keepaliveTime": lambda one: f"{one.hold_time // 3}s",
    "myASN": lambda one: one.my_asn or one.local_asn,
    "localASN": lambda one: one.local_asn,
    "peerASN": lambda one: one.peer_asn,
    "peerAddress": lambda one: str(one.address),
    "peerPort": lambda one: one.port,
    "routerID": lambda one: one.router_id,
    "sourceAddress": lambda one: one.source_address,
    "password": lambda one: one.password,
    "bfdProfile": lambda one: one.bfd_profile or None,
    "ebgpMultiHop": lambda one: one.ttl is not None,
    "enableGracefulRestart": lambda one: one.graceful_restart is not None,
    "dualStackAddressFamily": lambda one: len(one.families) > 1,
    "families": lambda one: ["IPv4" if f is Family.IPV4 else "IPv6" for f in one.families],
    "nodeSelectors": lambda one: ["everything"] if not any(one.node_selectors) else "some",
}


def _advertisement(one: BGPAdvertisement, wanted: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        "localPref": one.local_pref,
        "aggregationLength": one.aggregation_length,
        "aggregationLengthV6": one.aggregation_length_v6,
        "asPathPrepend": one.as_path_prepend,
        "communities": [*one.communities, *(f"large:{large}" for large in one.large_communities)],
        "peers": list(one.peers),
        "ipAddressPools": list(one.pools),
    }
    unknown = sorted(wanted.keys() - values.keys())
    if unknown:
        raise InexpressibleError(f"an advertisement has no {', '.join(unknown)} to look at")
    return {key: values[key] for key in wanted}


def _inside(one: IPv4Network | IPv6Network, block: IPv4Network | IPv6Network) -> bool:
    if isinstance(one, IPv4Network) and isinstance(block, IPv4Network):
        return one.subnet_of(block)
    if isinstance(one, IPv6Network) and isinstance(block, IPv6Network):
        return one.subnet_of(block)
    return False


def _pool(one: Any, wanted: Any) -> Any:
    if not isinstance(wanted, Mapping):
        return [str(block) for block in one.prefixes]
    values = {
        "cidrs": [str(block) for block in one.prefixes],
        "autoAssign": one.auto_assign,
        "avoidBuggyIPs": one.avoid_buggy_ips,
        "labels": dict(one.labels),
        "families": sorted(
            {"IPv6" if family_of(b) is Family.IPV6 else "IPv4" for b in one.prefixes}
        ),
    }
    unknown = wanted.keys() - values.keys()
    if unknown:
        raise InexpressibleError(f"a pool has no {', '.join(sorted(unknown))} to look at")
    return {key: values[key] for key in wanted}
