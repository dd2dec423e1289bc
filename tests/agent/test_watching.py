"""What the agent makes of what it sees: when it acts, in which order, and when it keeps still."""

import asyncio
import socket
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from bgpd.agent.asking import Heard
from bgpd.agent.boot import Recalled
from bgpd.agent.watching import Watching
from bgpd.host.facts import HostFacts
from bgpd.ipc.message import Standing
from bgpd.model.health import Health, LocalHealthPolicy, StartupPolicy
from bgpd.model.member import DrainTrigger, NodeName, SpeakerPolicy
from bgpd.model.prefix import Address, Prefix
from bgpd.model.status import DrainPhase, DrainStatus, SpeakerStatus
from bgpd.policy.context import Context
from bgpd.policy.lingering import LINGER_SECONDS
from bgpd.policy.probing import QuestionKey
from bgpd.policy.startup import Boot
from tests.agent.running import running
from tests.policy.build import Cluster

EIP = Prefix("203.0.113.1/32")
PATIENCE = 20.0


class Acts:
    """What the agent would do."""

    def __init__(self) -> None:
        self.stood: list[Standing] = []
        self.again: list[str] = []
        self.everything = 0
        self.prefixes_now: tuple[Prefix, ...] = (EIP,)
        self.something = asyncio.Event()

    def decide_again(self, services: Iterable[str]) -> None:
        """Remember which."""
        self.again += services

    def decide_everything(self) -> None:
        """Count it."""
        self.everything += 1

    def stand(self, standing: Standing) -> None:
        """Remember it."""
        self.stood.append(standing)
        self.something.set()

    def prefixes(self) -> Iterable[Prefix]:
        """Return what is advertised."""
        return self.prefixes_now


class Node:
    """A node whose answers and events the test makes, at the time that it says."""

    def __init__(self, recalled: Recalled, policy: SpeakerPolicy, drain: str = "") -> None:
        self.now = 0.0
        self.acts = Acts()
        self.watching = Watching(NodeName("n1"), recalled, self.acts, lambda: self.now)
        self.context = replace(Cluster().context(), policy=policy, drain=drain)
        self.configure(self.context)

    def configure(self, context: Context) -> None:
        """Let *context* be in force, everything decided."""
        self.watching.judge.configure(context)
        self.watching.follow(complete=True)

    def part(self, name: str, health: Health) -> None:
        """Let a part of the node answer."""
        key = QuestionKey("", name, Address("127.0.0.1"), 1)
        self.watching._answered(Heard(key, health, f"{name} is {health.value}"))

    def wait(self, seconds: float) -> None:
        """Let time pass, and the timer come."""
        self.now += seconds
        self.watching.refresh()


def story(
    tell: Callable[[Node], None],
    *,
    recalled: Recalled | None = None,
    policy: SpeakerPolicy | None = None,
) -> None:
    """Run *tell* with a node, in a loop."""

    async def run() -> None:
        tell(Node(recalled or Recalled(boot=Boot.SAME), policy or SpeakerPolicy()))

    asyncio.run(run())


def test_nothing_seen_is_nothing_said() -> None:
    """A node that nobody has looked at stands as it stood."""

    def tell(node: Node) -> None:
        node.wait(1000.0)
        assert node.acts.stood == []
        assert node.watching.status().node == {
            "carrier": Health.UNKNOWN,
            "gateway": Health.UNKNOWN,
            "kube-proxy": Health.UNKNOWN,
            "kubelet": Health.UNKNOWN,
        }

    story(tell)


def test_a_service_that_nothing_chooses_any_more_is_decided_on_after_its_moment() -> None:
    """By the timer, without anybody's word; one that is chosen again meanwhile is not."""

    def tell(node: Node) -> None:
        lingering = node.watching.judge.lingering
        lingering.note("default/web", kept=True, up=True, now=node.now)
        lingering.note("default/api", kept=True, up=True, now=node.now)
        node.watching.follow(complete=True)
        node.wait(LINGER_SECONDS - 0.1)
        lingering.note("default/api", kept=False, up=True, now=node.now)
        assert node.acts.again == []
        timer = node.watching._timer
        assert timer is not None
        assert timer.when() - asyncio.get_running_loop().time() <= 0.1
        node.wait(0.1)
        assert node.acts.again == ["default/web"]

    story(tell)


def test_a_lost_carrier_is_said_at_once_and_taken_back() -> None:
    """Each change of the standing is one message."""

    def tell(node: Node) -> None:
        node.watching._saw(HostFacts(uplinks={"eth0": False}))
        node.watching._saw(HostFacts(uplinks={"eth0": True}))
        assert [bool(one.doubt) for one in node.acts.stood] == [True, False]
        assert "eth0 has no carrier" in node.acts.stood[0].doubt[0]

    story(tell)


def test_what_a_policy_does_not_want_is_not_doubted() -> None:
    """`health.carrier: false`, and a URL that is empty."""
    quiet = LocalHealthPolicy(carrier=False, gateway=False, kubelet="", kube_proxy="")

    def tell(node: Node) -> None:
        node.watching._saw(
            HostFacts(uplinks={"eth0": False}, gateways={"10.0.0.1": Health.UNHEALTHY})
        )
        assert node.acts.stood == []
        assert node.watching.status().node == {}

    story(tell, policy=SpeakerPolicy(health=quiet))


def test_a_policy_that_changes_takes_its_doubt_with_it() -> None:
    """The person has decided that it does not count."""

    def tell(node: Node) -> None:
        node.watching._saw(HostFacts(uplinks={"eth0": False}))
        policy = SpeakerPolicy(health=LocalHealthPolicy(carrier=False))
        node.configure(replace(node.context, policy=policy))
        assert [bool(one.doubt) for one in node.acts.stood] == [True, False]

    story(tell)


def test_a_kubelet_may_be_away_for_a_while() -> None:
    """Ten seconds by default; then the doubt is said, once."""

    def tell(node: Node) -> None:
        node.part("kubelet", Health.HEALTHY)
        node.part("kubelet", Health.UNHEALTHY)
        node.wait(9.9)
        assert node.acts.stood == []
        node.wait(0.1)
        node.wait(5.0)
        assert [len(one.doubt) for one in node.acts.stood] == [1]

    story(tell)


def test_after_a_boot_everything_waits_for_kube_proxy() -> None:
    """Then everything is decided on, once; what an open gate sees later decides nothing."""

    def tell(node: Node) -> None:
        assert node.watching.judge.general.reason is not None
        assert not node.watching.kept.opened
        node.part("kube-proxy", Health.UNHEALTHY)
        node.wait(5.0)
        assert node.acts.everything == 0
        node.part("kube-proxy", Health.HEALTHY)
        assert node.acts.everything == 1
        assert node.watching.judge.general.reason is None
        assert node.watching.kept.opened
        assert node.watching.kept.heard == ("kube-proxy",)
        node.part("kube-proxy", Health.UNHEALTHY)
        assert node.acts.everything == 1

    story(tell, recalled=Recalled(boot=Boot.ANOTHER, missed=("kube-proxy",)))


def test_patience_that_is_over_lets_the_node_advertise_in_doubt() -> None:
    """Traffic flows, to other nodes first."""

    def tell(node: Node) -> None:
        node.wait(4.9)
        assert node.acts.everything == 0
        node.wait(0.1)
        assert node.acts.everything == 1
        node.part("kube-proxy", Health.HEALTHY)
        first, *then = node.acts.stood
        assert first == Standing(partial=True), "what waits for kube-proxy is missing yet"
        said = [one.doubt for one in then]
        assert said == [("kube-proxy was not healthy since the boot",), ()]

    story(
        tell,
        recalled=Recalled(boot=Boot.ANOTHER, missed=("kube-proxy",)),
        policy=SpeakerPolicy(startup=StartupPolicy(patience_seconds=5)),
    )


@pytest.mark.parametrize("boot", [Boot.SAME, Boot.FIRST])
def test_who_was_here_and_who_is_new_wait_for_nothing(boot: Boot) -> None:
    """The gate is open before the first decision, so that there is no second one."""

    def tell(node: Node) -> None:
        assert node.watching.judge.general.reason is None
        assert node.acts.everything == 0
        assert not node.watching.judge.hearing.starting

    story(tell, recalled=Recalled(boot=boot))


def test_a_gate_that_opens_with_another_configuration_is_not_overlooked() -> None:
    """Who only joins the mesh changes no decision, so somebody has to ask for them."""

    def tell(node: Node) -> None:
        node.now += 5.0
        node.configure(replace(node.context))
        assert node.watching.judge.general.reason is None
        assert node.acts.everything == 1
        node.wait(1.0)
        assert node.acts.everything == 1

    story(
        tell,
        recalled=Recalled(boot=Boot.ANOTHER),
        policy=SpeakerPolicy(startup=StartupPolicy(delay_seconds=5)),
    )


def test_a_restart_in_doubt_is_in_doubt() -> None:
    """What was not healthy since the boot is so for the next agent, too."""

    def tell(node: Node) -> None:
        assert node.acts.stood[-1].doubt == ("kube-proxy was not healthy since the boot",)

    story(tell, recalled=Recalled(boot=Boot.SAME, missed=("kube-proxy",)))


def test_a_restart_keeps_the_doubt_until_there_is_a_word() -> None:
    """The first thing that the speaker hears of a new agent is what it heard of the last one."""

    def tell(node: Node) -> None:
        assert "kubelet is unhealthy" in node.acts.stood[-1].doubt[0]
        assert node.watching.kept.doubted == {"kubelet": "refused"}
        node.part("kubelet", Health.HEALTHY)
        assert node.acts.stood[-1].doubt == ()
        assert not node.watching.kept.doubted

    story(
        tell,
        recalled=Recalled(boot=Boot.SAME, heard=("kubelet",), doubted={"kubelet": "refused"}),
    )


def test_a_drain_that_waits_for_connections_is_told_with_its_count() -> None:
    """Told without one, the speaker would think that there is nothing to wait for."""

    async def run() -> None:
        patient = SpeakerPolicy(drain=DrainTrigger.WAIT_FOR_CONNECTIONS)
        with socket.create_server(("127.0.0.1", 0)) as server:
            node = Node(Recalled(boot=Boot.SAME), patient, drain="Node n1 is cordoned")
            node.acts.prefixes_now = (Prefix("127.0.0.1/32"), EIP)
            assert node.acts.stood == []
            with socket.create_connection(server.getsockname()):
                async with running(node.watching.run()), asyncio.timeout(PATIENCE):
                    await node.acts.something.wait()
        said = node.acts.stood[0]
        assert said.drain == "Node n1 is cordoned"
        assert Prefix("127.0.0.1/32") in said.busy

    asyncio.run(run())


@pytest.mark.parametrize("cause", ["Node n1 is cordoned", ""])
def test_a_restart_does_not_interrupt_a_drain(cause: str) -> None:
    """What it waits for is what the agent before us counted last, until there is a new count.

    So it is also where a person asked the speaker for it, until the speaker says that it is over.
    """

    async def run() -> None:
        patient = SpeakerPolicy(drain=DrainTrigger.WAIT_FOR_CONNECTIONS)
        node = Node(Recalled(boot=Boot.SAME, busy=(EIP,)), patient, drain=cause)
        (said,) = node.acts.stood
        assert (said.drain, said.busy) == (cause, (EIP,))
        assert node.watching.kept.busy == (EIP,)
        node.watching.heard(None)
        assert node.watching.kept.busy == (EIP,)
        node.watching.heard(speaker(DrainPhase.NOT_DRAINING))
        assert node.watching.kept.busy == ((EIP,) if cause else None)

    asyncio.run(run())


def test_a_drain_that_the_speaker_began_is_counted_for_as_well() -> None:
    """A person asked for it there; the count is told also where nothing is open."""

    async def run() -> None:
        patient = SpeakerPolicy(drain=DrainTrigger.WAIT_FOR_CONNECTIONS)
        node = Node(Recalled(boot=Boot.SAME), patient)
        async with running(node.watching.run()), asyncio.timeout(PATIENCE):
            node.watching.heard(speaker(DrainPhase.WAITING))
            await node.acts.something.wait()
            node.acts.something.clear()
            node.watching.heard(speaker(DrainPhase.NOT_DRAINING))
        assert node.acts.stood[0].drain == ""

    asyncio.run(run())


def speaker(phase: DrainPhase) -> SpeakerStatus:
    """Return what a speaker says of itself."""
    return SpeakerStatus(
        node="n1",
        version="0",
        started=0.0,
        agent_connected=True,
        agent_absent_since=None,
        exabgp_pid=None,
        drain=DrainStatus(phase=phase),
    )
