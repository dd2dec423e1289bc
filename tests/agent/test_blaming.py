"""Which changes of routes follow a fact and leave a record, and which are configuration."""

import pytest

from bgpd.agent.blaming import FACTS, Blame, blame
from bgpd.ipc.message import Delta
from bgpd.kube.store import Changes
from bgpd.model.reason import BY_HEALTH, Reason
from tests.agent.test_deciding import (
    LOUD,
    PLAIN,
    WIDE,
    Agent,
    _read,
    _served,
    settled_agent,
)
from tests.agent.test_planner import (
    CONFIGURATION,
    Cluster,
    Document,
    endpoints,
    ours,
    running_cluster,
    service,
)

__all__ = ["running_cluster", "settled_agent"]

WEB = service("web", "203.0.113.1")
_GONE = _read(service("s00", "203.0.113.0"), endpoints("s00", "n2"))
"""Service 0, served elsewhere."""
NARROW = ours("IPAddressPool", "pool", addresses=["198.51.100.0/24"])


def blamed(cluster: Cluster) -> Blame | None:
    """Return what was to blame for the last decisions."""
    return next((one for turn in cluster.planner.turns if (one := blame(turn))), None)


def causes(agent: Agent) -> list[tuple[int, str, float]]:
    """Return which messages the agent names a cause of: the sequence, the kind, when it was."""
    why = agent.deciding.why()
    found = () if why is None else why.causes
    return [(sequence, cause.kind, cause.at) for sequence, cause in found]


def test_a_lost_endpoint_is_to_blame(cluster: Cluster) -> None:
    """The sentence names the Service, the reason by its word, and what is the matter."""
    cluster.write("web.json", WEB, endpoints("web", "n2"))
    found = blamed(cluster)
    assert found is not None
    assert found.kind == "withdraw"
    assert found.sentence.startswith("default/web: NoLocalEndpoints: ")


def test_its_return_is_one_as_well(cluster: Cluster) -> None:
    """It says what is no longer the matter."""
    cluster.write("web.json", WEB, endpoints("web", "n2"))
    cluster.write("web.json", WEB, endpoints("web", "n1"))
    found = blamed(cluster)
    assert found is not None
    assert found.kind == "return"
    assert found.sentence.startswith("default/web: no longer: NoLocalEndpoints: ")


@pytest.mark.parametrize(
    "documents",
    [
        pytest.param((), id="a Service that is deleted"),
        pytest.param(
            (WEB, endpoints("web", "n1"), service("new", "203.0.113.2"), endpoints("new", "n1")),
            id="a Service that is new",
        ),
        pytest.param((service("web", "203.0.113.9"), endpoints("web", "n1")), id="a new address"),
        pytest.param(
            (service("web", "192.0.2.1"), endpoints("web", "n1")), id="an address outside all pools"
        ),
        pytest.param((WEB, endpoints("web", "n1", "n2")), id="an endpoint elsewhere"),
    ],
)
def test_configuration_is_not_to_blame(cluster: Cluster, documents: tuple[Document, ...]) -> None:
    """People know what they did."""
    cluster.write("web.json", *documents)
    assert blamed(cluster) is None


def test_a_pool_that_goes_is_configuration(cluster: Cluster) -> None:
    """Everything is decided anew, and nothing of it is a fact."""
    told = cluster.write("config.json", *CONFIGURATION[:2], NARROW, *CONFIGURATION[3:])
    assert told is not None
    assert blamed(cluster) is None


def test_every_reason_of_health_is_a_fact() -> None:
    """And so is the lack of endpoints; whatever a person chose is none."""
    assert BY_HEALTH < FACTS
    assert Reason.NO_ENDPOINTS in FACTS
    assert Reason.NODE_EXCLUDED not in FACTS


def test_the_speaker_hears_when_the_event_was_read(agent: Agent) -> None:
    """The clock of a record begins there, and not when the agent had time for it."""
    changes = agent.store.apply("0.json", _GONE)
    agent.deciding.changed(changes, 12.5)
    (told,) = agent.told
    assert isinstance(told, Delta)
    why = agent.deciding.why()
    assert why is not None
    ((sequence, cause),) = why.causes
    assert (sequence, cause.kind, cause.at) == (told.sequence, "withdraw", 12.5)
    assert cause.decided_at > cause.at
    assert agent.deciding.why() is None, "said once"


def test_a_change_of_configuration_tells_of_what_came_with_it(agent: Agent) -> None:
    """Endpoints that go while everything is decided on are not lost in it."""
    changes = agent.store.apply("0.json", _GONE)
    more = agent.store.apply("more.json", _read(WIDE, LOUD))
    agent.deciding.configure(changes.then(more), 12.5)
    agent.settle()
    assert ("withdraw", 12.5) in [(kind, at) for _, kind, at in causes(agent)]


def test_a_change_of_configuration_alone_tells_of_nothing(agent: Agent) -> None:
    """Other communities for everything: ten thousand routes and no record."""
    agent.deciding.changed(agent.store.apply("more.json", _read(WIDE, LOUD)))
    agent.settle()
    agent.deciding.changed(agent.store.apply("more.json", _read(WIDE, PLAIN)))
    agent.settle()
    assert agent.told
    assert causes(agent) == []


def test_what_was_to_blame_once_is_not_for_ever(agent: Agent) -> None:
    """Of the next message nothing is to blame."""
    agent.deciding.changed(agent.store.apply("0.json", _GONE), 12.5)
    agent.deciding.changed(Changes(services=frozenset({"default/s03"})))
    agent.write("1.json", service("s01", "203.0.113.200"), endpoints("s01", "n1"))
    assert [sequence for sequence, _, _ in causes(agent)] == [agent.told[0].sequence]


def test_of_a_storm_the_first_causes_are_told(agent: Agent) -> None:
    """They join one record anyway, and a message has an end."""
    for number in range(2100):
        gone = number % 2 == 0
        documents = _GONE if gone else _read(*_served(0))
        agent.deciding.changed(agent.store.apply("0.json", documents), 12.5)
    assert len(causes(agent)) == 2000
