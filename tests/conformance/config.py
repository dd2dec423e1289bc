"""Areas `config`, `validation_*` and `community`: what holds, and what is refused."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, Final

from msgspec import convert, to_builtins

from bgpd.kube.nodecondition import INVALIDATING
from bgpd.kube.objects import BGPPeer as BGPPeerForm
from bgpd.kube.problem import Standing
from bgpd.model.configuration import BGPAdvertisement, BGPPeer
from bgpd.policy.conditions import REFUSED
from tests.conformance import documents
from tests.conformance.agent import Agent
from tests.conformance.documents import Document
from tests.conformance.properties import PEER, advertisement_as, inside, pool_as
from tests.conformance.room import Fields, InexpressibleError, in_order, listed
from tests.conformance.written import WrittenRoom

_STRICT: Final = "reject an aggregate that covers addresses outside the pool"


class ConfigRoom(WrittenRoom):
    """Nodes that read the documents."""

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
        beyond = [one for one in routes if not any(inside(one, block) for block in blocks)]
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
        found = {key: look(one) for key, look in PEER.items() if key in wanted}
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
        return {name: pool_as(one, expected.get(name, {})) for name, one in held.items()}

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
        return advertisement_as(held[0], expected) if len(held) == 1 else f"{len(held)} of them"

    def see_advertisements(self, expected: Mapping[str, Any]) -> object:
        """Return the advertisements that hold, by name."""
        held = self._held()
        return {name: advertisement_as(one, expected.get(name, {})) for name, one in held.items()}

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
