"""Probes, boots and restlessness beside documents: what the speaker is told, and what it is not."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.agent.judging import Judge
from bgpd.agent.planner import Planner
from bgpd.ipc.message import Delta, Desired
from bgpd.kube.store import Changes
from bgpd.model.health import Health
from bgpd.model.member import NodeName
from bgpd.model.reason import Reason
from bgpd.policy.hearing import Hearing
from bgpd.policy.lingering import LINGER_SECONDS
from bgpd.policy.probing import NODE_PORT, QuestionKey
from bgpd.policy.startup import SLOW
from bgpd.policy.verdict import FINE, Verdict
from tests.agent.test_planner import CONFIGURATION, Cluster, Document, endpoints, ours, service

WEB = "default/web"
CHECK = "default/alive"
WAIT = Verdict(reason=Reason.STARTING_UP, message="node n1 has booted")


def check(name: str = "alive", **spec: object) -> Document:
    """Return a HealthCheck of the Services of these tests."""
    document = ours("HealthCheck", name, httpGet={"port": 80}, target="Host", **spec)
    document["metadata"] = {"name": name, "namespace": "default"}
    return document


def port_of(document: Document, port: int) -> Document:
    """Return a Service with a healthCheckNodePort."""
    spec = document["spec"]
    assert isinstance(spec, dict)
    return {**document, "spec": {**spec, "healthCheckNodePort": port}}


class Node(Cluster):
    """A cluster whose probes answer what the test says, at the time that it says."""

    def __init__(self, hearing: Hearing | None = None) -> None:
        super().__init__()
        self.now = 100.0
        self.judge = Judge("n1", hearing=hearing, clock=lambda: self.now)
        self.planner = Planner(node=NodeName("n1"), cluster_uid="c", judge=self.judge)

    def fill(self, *more: Document, checked: bool = True) -> Desired | Delta | None:
        """Begin with a served Service, and a check of it."""
        self.write("web.json", service("web", "203.0.113.1"), endpoints("web", "n1"))
        return self.write("config.json", *CONFIGURATION, *([check()] if checked else []), *more)

    def answer(self, health: Health, check_: str = CHECK, service_: str = WEB) -> Delta | None:
        """Let every probe of *check_* answer."""
        changed = False
        for key in tuple(self.judge.hearing.questions):
            if (key.service, key.check) == (service_, check_):
                changed |= self.judge.hearing.hear(key, health, f"it is {health.value}")
        return self.again([service_]) if changed else None

    def again(self, services: Iterable[str]) -> Delta | None:
        """Decide on *services* as if something beside their objects had changed."""
        return self.planner.update(Changes(services=frozenset(services)), self.store.objects)

    @property
    def reasons(self) -> list[Reason]:
        """Why something is withheld."""
        return [one.reason for one in self.planner.withheld]

    @property
    def routes(self) -> set[str]:
        """The prefixes that are desired."""
        return {prefix for _, prefix in self.planner._merged.advertisements}


@pytest.fixture(name="checked")
def checked_node() -> Node:
    """Return a node that advertises a Service with a check, which has not answered yet."""
    node = Node()
    node.fill()
    return node


def test_a_check_without_an_answer_changes_nothing(checked: Node) -> None:
    """It is asked, and the route is there."""
    assert checked.routes == {"203.0.113.1/32"}
    assert set(checked.judge.hearing.questions) == {QuestionKey(WEB, CHECK, "127.0.0.1", 80)}  # type: ignore[arg-type]


def test_a_change_of_mind_is_one_delta(checked: Node) -> None:
    """As a change of an EndpointSlice is; the same word again is none."""
    told = checked.answer(Health.UNHEALTHY)
    assert told is not None
    assert told.withdraw == (("tor", "203.0.113.1/32"),)
    assert checked.reasons == [Reason.HEALTH_CHECK_FAILED]
    assert checked.answer(Health.UNHEALTHY) is None
    back = checked.answer(Health.HEALTHY)
    assert back is not None
    assert len(back.advertise) == 1


def test_a_service_that_is_not_advertised_anyway_is_not_asked(checked: Node) -> None:
    """Nobody would learn anything, and a port may be nobody's by then."""
    checked.write("web.json", service("web", "203.0.113.1"), endpoints("web", "n2"))
    assert checked.reasons == [Reason.NO_LOCAL_ENDPOINTS]
    assert not checked.judge.hearing.questions
    assert checked.judge.asks_anew


def test_the_node_port_is_asked_before_there_is_an_endpoint(checked: Node) -> None:
    """Then the route follows kube-proxy, and does not run ahead of it."""
    asked = port_of(service("web", "203.0.113.1"), 30001)
    checked.write("web.json", asked, endpoints("web", "n2"))
    assert [one.check for one in checked.judge.hearing.questions] == [NODE_PORT]
    checked.answer(Health.UNHEALTHY, NODE_PORT)
    told = checked.write("web.json", asked, endpoints("web", "n1"))
    assert told is None
    assert checked.reasons == [Reason.HEALTH_CHECK_NODE_PORT]
    back = checked.answer(Health.HEALTHY, NODE_PORT)
    assert back is not None
    assert len(back.advertise) == 1


def test_ports_are_not_asked_where_a_policy_says_so(checked: Node) -> None:
    """`health.healthCheckNodePort: false`."""
    asked = port_of(service("web", "203.0.113.1"), 30001)
    checked.write("web.json", asked, endpoints("web", "n1"))
    assert NODE_PORT in {one.check for one in checked.judge.hearing.questions}
    checked.write("policy.json", ours("SpeakerPolicy", "p", health={"healthCheckNodePort": False}))
    assert NODE_PORT not in {one.check for one in checked.judge.hearing.questions}


def test_a_check_that_goes_withholds_nothing_any_more(checked: Node) -> None:
    """Its document is gone, and with it what it said."""
    checked.answer(Health.UNHEALTHY)
    checked.write("config.json", *CONFIGURATION)
    assert checked.routes == {"203.0.113.1/32"}
    assert not checked.judge.hearing.questions


def test_a_service_that_goes_is_not_asked_any_more(checked: Node) -> None:
    """And what was known of it goes with it."""
    checked.answer(Health.UNHEALTHY)
    checked.planner.update(checked.store.remove("web.json"), checked.store.objects)
    assert not checked.judge.hearing.questions
    assert checked.judge.hearing.withheld == {}


def test_a_check_that_chooses_no_service_is_a_condition(checked: Node) -> None:
    """One that chooses a Service which is not here is as it should be."""
    lonely = check("lonely", serviceSelectors=[{"matchLabels": {"app": "nobody"}}])
    checked.write("more.json", lonely)
    unused = [one for one in checked.planner.conditions if one.type == "HealthCheckUnused"]
    assert [one.message.partition(":")[0] for one in unused] == ["HealthCheck default/lonely"]
    checked.write("web.json", service("web", "203.0.113.1"), endpoints("web", "n2"))
    assert [one for one in checked.planner.conditions if one.type == "HealthCheckUnused"] == unused


def test_a_check_that_knows_no_port_is_a_condition(checked: Node) -> None:
    """Nobody should believe in a check that asks nothing."""
    portless = check("portless")
    portless["spec"] = {"httpGet": {}, "target": "Host"}
    checked.write("more.json", portless)
    (unused,) = [one for one in checked.planner.conditions if one.type == "HealthCheckUnused"]
    assert (unused.reason, "Service default/web" in unused.message) == ("NoPort", True)
    asked = service("web", "203.0.113.1")
    spec = asked["spec"]
    assert isinstance(spec, dict)
    checked.write(
        "web.json", {**asked, "spec": {**spec, "ports": [{"port": 80}]}}, endpoints("web", "n1")
    )
    assert not [one for one in checked.planner.conditions if one.type == "HealthCheckUnused"]
    checked.write("web.json", asked, endpoints("web", "n1"))
    checked.planner.update(checked.store.remove("web.json"), checked.store.objects)
    assert not checked.judge._portless


def test_an_agent_that_restarts_in_the_same_boot_withdraws_nothing() -> None:
    """All its probes are unanswered, and what it says first is what the one before said last."""
    first = Node()
    first.fill()
    first.write("other.json", service("other", "203.0.113.2"), endpoints("other", "n1"))
    first.answer(Health.UNHEALTHY)
    second = Node(Hearing("n1", withheld=first.judge.hearing.withheld))
    second.write("other.json", service("other", "203.0.113.2"), endpoints("other", "n1"))
    told = second.fill()
    assert isinstance(told, Desired)
    assert {one.prefix for one in told.advertisements} == first.routes == {"203.0.113.2/32"}


def test_after_a_boot_each_service_waits_for_its_own_answers() -> None:
    """One without a check waits for nothing of the kind."""
    node = Node(Hearing("n1", starting=True))
    node.write("config.json", *CONFIGURATION)
    node.write("other.json", service("other", "203.0.113.2"), endpoints("other", "n1"))
    node.write("check.json", check(serviceSelectors=[{"matchLabels": {"app": "web"}}]))
    labeled = service("web", "203.0.113.1")
    labeled["metadata"] = {"name": "web", "namespace": "default", "labels": {"app": "web"}}
    node.write("web.json", labeled, endpoints("web", "n1"))
    assert node.routes == {"203.0.113.2/32"}
    assert node.reasons == [Reason.STARTING_UP]
    assert node.answer(Health.HEALTHY) is not None
    assert node.routes == {"203.0.113.1/32", "203.0.113.2/32"}


def test_a_closed_gate_withholds_all_and_an_open_one_lets_all_through() -> None:
    """What holds for the node holds for Services with and without checks."""
    node = Node()
    node.judge.general = WAIT
    node.fill()
    node.write("other.json", service("other", "203.0.113.2"), endpoints("other", "n1"))
    assert node.routes == set()
    assert node.reasons == [Reason.STARTING_UP] * 2
    assert set(node.judge.hearing.questions), "what is waited for is asked for meanwhile"
    node.judge.general = SLOW
    node.planner.configure(Changes(), node.store.objects, {})
    assert {one.rank for one in node.planner._merged.advertisements.values()} == {240}
    node.judge.general = FINE
    told = node.planner.configure(Changes(), node.store.objects, {})
    assert isinstance(told, Delta)
    assert {one.rank for one in told.advertise} == {0}


def flap(node: Node, times: int, pause: float = 0.05) -> list[Delta | None]:
    """Let the endpoint go and come *times* times."""
    told = []
    for number in range(2 * times):
        node.now += pause
        where = "n2" if number % 2 == 0 else "n1"
        message = node.write("web.json", service("web", "203.0.113.1"), endpoints("web", where))
        assert not isinstance(message, Desired)
        told.append(message)
    return told


def test_an_endpoint_that_flaps_is_held_back_and_told_in_the_end() -> None:
    """Withdrawals go at once; the return has its pause, and another Service has none."""
    node = Node()
    node.fill(checked=False)
    told = flap(node, 10)
    assert sum(message is not None for message in told) <= 6
    assert node.reasons == [Reason.FLAPPING]
    assert node.routes == set()
    other = node.write("other.json", service("other", "203.0.113.2"), endpoints("other", "n1"))
    assert isinstance(other, Delta)
    due = node.judge.flapping.deadline()
    assert due is not None
    node.now = due
    back = node.again(node.judge.flapping.due(due))
    assert back is not None
    assert {one.prefix for one in back.advertise} == {"203.0.113.1/32"}
    assert node.reasons == []


def test_others_are_told_once_for_a_pause_that_a_route_may_be_missing() -> None:
    """Not with each return of the endpoint: drained nodes would move their routes with it."""
    node = Node()
    node.fill(checked=False)
    assert not node.planner.standing_now.partial
    flap(node, 10)
    said = {node.planner.standing_now.partial}
    for where in ("n2", "n1", "n2"):
        node.now += 0.05
        node.write("web.json", service("web", "203.0.113.1"), endpoints("web", where))
        said.add(node.planner.standing_now.partial)
    assert said == {True}
    due = node.judge.flapping.deadline()
    assert due is not None
    node.now = due
    node.again(node.judge.flapping.due(due))
    assert not node.planner.standing_now.partial


def test_a_change_of_configuration_does_not_end_a_pause() -> None:
    """Everything is decided on anew, and the Service is still restless."""
    node = Node()
    node.fill(checked=False)
    flap(node, 10)
    node.write("ads.json", ours("BGPAdvertisement", "second", communities=["65000:1"]))
    assert node.reasons == [Reason.FLAPPING]


PICKY = ours("BGPAdvertisement", "all", serviceSelectors=[{"matchLabels": {"tier": "front"}}])
RULES = [PICKY if one["kind"] == "BGPAdvertisement" else one for one in CONFIGURATION]


def labeled(document: Document) -> Document:
    """Return a Service with the label that is chosen."""
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    return {**document, "metadata": {**metadata, "labels": {"tier": "front"}}}


def unchosen() -> Node:
    """Return a node on which an edit leaves the advertised Service without an advertisement."""
    node = Node()
    node.fill(checked=False)
    assert node.write("config.json", *RULES) is None
    return node


def test_an_advertisement_that_comes_before_the_labels_withdraws_nothing() -> None:
    """Documents are written one after another: the speaker hears nothing of it."""
    node = unchosen()
    node.now += 1.0
    web = labeled(service("web", "203.0.113.1"))
    assert node.write("web.json", web, endpoints("web", "n1")) is None
    assert (node.routes, node.reasons) == ({"203.0.113.1/32"}, [])
    assert node.judge.lingering.deadline() is None


def test_labels_that_come_before_the_advertisement_withdraw_nothing() -> None:
    """The other way round it is the same."""
    node = Node()
    node.write("web.json", labeled(service("web", "203.0.113.1")), endpoints("web", "n1"))
    node.write("config.json", *RULES)
    assert node.write("web.json", service("web", "203.0.113.1"), endpoints("web", "n1")) is None
    node.now += 1.0
    assert node.write("config.json", *CONFIGURATION) is None
    assert (node.routes, node.reasons) == ({"203.0.113.1/32"}, [])


def test_what_stays_unchosen_is_withdrawn_after_a_moment() -> None:
    """Once, with its reason; no change of something else makes it sooner or later."""
    node = unchosen()
    due = node.judge.lingering.deadline()
    assert due == node.now + LINGER_SECONDS
    node.now = due - 0.5
    policy = ours("SpeakerPolicy", "p", drainMilliseconds=500)
    assert node.write("config.json", *RULES, policy) is not None
    assert node.routes == {"203.0.113.1/32"}
    assert node.judge.lingering.deadline() == due
    told = node.again(node.judge.lingering.due(due))
    assert told is not None
    assert told.withdraw == (("tor", "203.0.113.1/32"),)
    assert node.reasons == [Reason.NO_MATCHING_ADVERTISEMENT]
    assert node.again([WEB]) is None
    assert node.judge.lingering.deadline() is None


def test_an_endpoint_that_goes_meanwhile_takes_the_route_at_once() -> None:
    """That traffic would be lost is a fact, whoever chooses the Service or not."""
    node = unchosen()
    told = node.write("web.json", service("web", "203.0.113.1"), endpoints("web", "n2"))
    assert isinstance(told, Delta)
    assert told.withdraw == (("tor", "203.0.113.1/32"),)


def test_a_check_goes_on_to_be_asked_of_what_is_kept_for_a_moment(checked: Node) -> None:
    """Its answers must not be forgotten by a change that comes in two parts."""
    checked.write("config.json", *RULES, check())
    assert checked.routes == {"203.0.113.1/32"}
    assert checked.judge.hearing.questions
    told = checked.answer(Health.UNHEALTHY)
    assert told is not None
    assert told.withdraw == (("tor", "203.0.113.1/32"),)


def test_without_a_clock_nothing_flaps() -> None:
    """Whoever decides out of time sees each state as it is."""
    cluster = Cluster()
    cluster.write("config.json", *CONFIGURATION)
    for number in range(30):
        where = "n2" if number % 2 else "n1"
        cluster.write("web.json", service("web", "203.0.113.1"), endpoints("web", where))
        assert bool(cluster.planner._merged.advertisements) is (where == "n1")


def test_services_without_checks_leave_nothing_behind() -> None:
    """Ten thousand of them cost no memory and no question."""
    node = Node()
    node.write("config.json", *CONFIGURATION)
    for number in range(20):
        name = f"s{number}"
        node.write(f"{name}.json", service(name, f"203.0.113.{number}"), endpoints(name, "n1"))
    judge = node.judge
    assert not judge.asks_anew
    assert not judge.hearing.questions
    assert not judge._chosen
    assert not judge.hearing._asked
    assert not judge.flapping._records


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("probe"), st.sampled_from(list(Health))),
        st.tuples(st.just("endpoint"), st.sampled_from(["n1", "n2"])),
        st.tuples(st.just("check"), st.booleans()),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(steps=_STEPS)
def test_a_route_is_there_or_there_is_a_reason(steps: list[tuple[str, object]]) -> None:
    """And a verdict of Unknown moves nothing, whatever came before."""
    node = Node()
    node.fill()
    for what, value in steps:
        node.now += 3.0
        before = node.routes
        match what:
            case "probe":
                assert isinstance(value, Health)
                node.answer(value)
                if value is Health.UNKNOWN:
                    assert node.routes == before
            case "endpoint":
                slices = endpoints("web", str(value))
                node.write("web.json", service("web", "203.0.113.1"), slices)
            case _:
                node.write("config.json", *CONFIGURATION, *([check()] if value else []))
        assert bool(node.routes) is not bool(node.reasons)
