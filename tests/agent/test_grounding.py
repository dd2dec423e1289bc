"""What an agent says of a decision: what it rests on, and what it wants of each peer."""

import msgspec
import pytest

from bgpd.agent.grounding import Grounding
from bgpd.model.grounds import AgentRoutes, Grounds
from bgpd.model.reason import Reason
from tests.agent.test_planner import CONFIGURATION, Cluster, Document, endpoints, ours, service


def grounding(*more: Document) -> Grounding:
    """Return the agent's knowledge on node n1 with the usual configuration and *more*."""
    cluster = Cluster()
    cluster.write("a", *CONFIGURATION, *more)
    return Grounding(cluster.planner, lambda: cluster.store.objects)


def asked(knowledge: Grounding, name: str) -> tuple[Grounds, ...]:
    """Return what is known of *name*, after its way over a socket."""
    found = knowledge.grounds({"name": name})
    return msgspec.convert(msgspec.to_builtins(found), tuple[Grounds, ...])


WEB = (service("web", "203.0.113.7"), endpoints("web", "n1", "n2", "n2"))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("default/web", id="namespace and name"),
        pytest.param("web", id="the name alone"),
        pytest.param("203.0.113.7", id="its address"),
        pytest.param("203.0.113.7/32", id="its prefix"),
    ],
)
def test_a_decision_is_told_with_what_it_rests_on(name: str) -> None:
    """Pool, advertisement, peers and where the endpoints are: question 14 starts from there."""
    (one,) = asked(grounding(*WEB), name)
    assert (one.service, one.local, one.endpoints) == ("default/web", True, {"n1": 1, "n2": 2})
    (address,) = one.addresses
    assert (address.pool, address.matching, address.peers) == ("pool", ("all",), ("tor",))
    assert [route.peer for route in one.advertisements] == ["tor"]


def test_a_refusal_is_told_with_what_it_rests_on() -> None:
    """The advertisement that does not select the Service is named: it would have to."""
    picky = ours("BGPAdvertisement", "picky", serviceSelectors=[{"matchLabels": {"a": "b"}}])
    documents = [one for one in CONFIGURATION if one["kind"] != "BGPAdvertisement"]
    cluster = Cluster()
    cluster.write("a", *documents, picky, *WEB)
    knowledge = Grounding(cluster.planner, lambda: cluster.store.objects)
    (one,) = asked(knowledge, "web")
    assert one.addresses[0].unmatched == ("picky",)
    assert [why.reason for why in one.withheld] == [Reason.NO_MATCHING_ADVERTISEMENT]


def test_who_shares_an_address_is_told() -> None:
    """Question 17: the others, not the Service itself."""
    other = (service("other", "203.0.113.7"), endpoints("other", "n1"))
    found = asked(grounding(*WEB, *other), "203.0.113.7")
    assert [(one.service, one.addresses[0].sharing) for one in found] == [
        ("default/other", ("default/web",)),
        ("default/web", ("default/other",)),
    ]


def test_what_nobody_knows_is_nothing() -> None:
    """No Service of that name, no such address, no name at all."""
    knowledge = grounding(*WEB)
    assert all(asked(knowledge, name) == () for name in ("db", "203.0.113.8", "", "n1"))


def test_what_is_wanted_is_told_by_peer_and_prefix() -> None:
    """`bgpctl diff` begins with it."""
    knowledge = grounding(*WEB)
    whole = knowledge.routes({})
    assert msgspec.convert(msgspec.to_builtins(whole), AgentRoutes) == whole
    assert knowledge.routes({"peer": "tor", "prefix": "203.0.113.7/32"}) == whole
    assert knowledge.routes({"peer": "other"}).advertisements == ()
