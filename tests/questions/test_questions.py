"""Each question of docs/questions.md, asked of a lab in the very state in which it is asked.

The commands are those of the page (`test_page`), and what is asserted are the facts of the answer,
not its layout. A class is a state; the whole module shares one lab: three nodes, BIRD, a real API
server and a controller.
"""

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import ClassVar, Final

import pytest

from tests.cluster.cluster import Cluster
from tests.lab.plan import LabError, RouterName
from tests.lab.routers import missing_programs
from tests.lab.world import unshare_command
from tests.lacking import lacking
from tests.questions import metallb
from tests.questions.asking import OPERATOR, Asked, asked_by, question, typed

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]

NODE: Final = "n1"
EVENTS_COME: Final = 150.0
"""Seconds: agents write one Event a second after a burst, and other states left some to write."""


@pytest.fixture(name="asked", scope="module")
def _asked(cluster_programs: object) -> Iterator[Asked]:
    """Give the lab; a machine that cannot is a skip, in CI an error."""
    del cluster_programs
    missing = missing_programs(RouterName.BIRD)
    reason = f"bird is not installed: {', '.join(missing)}" if missing else ""
    try:
        unshare_command()
    except LabError as error:
        reason = str(error)
    if reason:
        lacking(reason, unproven="that each question is answered by its command")
    lab = Asked()
    yield lab
    lab.stop()


@pytest.fixture(scope="class", autouse=True)
def _state(request: pytest.FixtureRequest, asked: Asked) -> Iterator[None]:
    """Let the lab be in the state of the class."""
    state: str = request.cls.state
    if not state:
        yield
        return
    with asked.state(state):
        yield


@pytest.fixture(name="commands")
def _commands(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Return the commands that the test is about."""
    return asked_by(request.function)[1]


class TestWell:
    """Nothing is wrong."""

    state: ClassVar[str] = ""

    @question(1, "bgpctl status", "bgpctl status --all-nodes")
    def test_01_a_node_and_a_cluster_that_are_fine(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """The first line is the answer, and exit status 0 goes with it."""
        here = asked.until(commands[0], "^n1 is fine: 1 of 1 session established", on=NODE)
        assert here.status == 0
        everywhere = asked.until(
            commands[1],
            "is fine: 3 of 3 nodes fine",
            "12 elastic IPs carried, takeover armed on 3",
            on=OPERATOR,
        )
        assert everywhere.status == 0

    @question(6, "bgpctl describe session router-n1-v4")
    def test_06_a_session_is_the_one_it_should_be(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """What was negotiated, and with whom; the router says the same of its own end."""
        told = asked.run(commands[0], on=NODE).text
        for fact in (
            *("State: Established", "Peer ASN: 65530", "Local ASN: 65000", "Hold time: 90 s"),
            *("Peer router ID: 169.254.255.1", "Local address: 10.99.1.1", "Signed: no"),
            *("Families: ipv4-unicast", "Graceful restart: no"),
        ):
            assert fact in told
        router = asked.run("birdc show protocols all n1", on="router").text
        assert re.search(r"Neighbor address: 10\.99\.1\.1 .*Hold timer: [0-9.]+/90", router)

    @question(7, "bgpctl get routes -o wide")
    def test_07_what_was_sent_is_what_arrived(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """Next hop and MED are those of the router's table, and the Service is named."""
        row = asked.run(commands[0], on=NODE).row("203.0.113.11/32", "router-n1-v4")
        assert row[2] == "Advertised"
        asked.until(
            "birdc show route all protocol n1 203.0.113.11/32",
            rf"BGP\.med: {row[4]}( |$)",
            rf"BGP\.next_hop: {re.escape(row[5])}( |$)",
            on="router",
        )
        assert row[-1] == "default/service-2"

    @question(8, "birdc show route all > table; bgpctl diff router-n1-v4 --router table")
    def test_08_the_router_took_everything(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """Every route that was sent is in its table, as it was sent."""
        told = asked.until(commands[0], "n1: 12 routes the same", on=NODE)
        assert told.status == 0

    @question(11, "bgpctl explain node")
    def test_11_what_happens_if_this_node_dies(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """The takeover is armed and how fast it is; how fast the router would be without it."""
        told = asked.until(
            commands[0],
            "^n1 can be rebooted now",
            r"the takeover is armed \(3 of 3 members reachable\): the others miss it after 120 ms",
            "router-n1-v4 would notice by itself after 90 s",
            "traffic of 12 elastic IPs moves to the nodes that carry it, too",
            on=NODE,
        )
        assert told.status == 0

    @question(16, "bgpctl get pools", "bgpctl get elasticips 203.0.113.10")
    def test_16_who_holds_an_address_and_how_full_pools_are(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """Used of all, and in percent; an address names its Services."""
        pools = asked.until(commands[0], "12/256", on=NODE)
        assert pools.row("lab")[1:5] == ["203.0.113.0/24", "12/256", "<none>", "4%"]
        assert "default/service-1" in asked.run(commands[1], on=NODE).row("203.0.113.10")

    @question(25, "bgpctl doctor")
    def test_25_whether_the_host_is_set_up_right(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """Routes, source, MTU, rp_filter, ports, mesh and clock were looked at; nothing failed."""
        looked_at = ("source", "route", "tcp", "mtu", "rp-filter", "ports", "mesh")
        told = asked.until(
            commands[0],
            *("^n1: 0 FAIL", "OK takeover armed: yes"),
            *(f" OK {check} " for check in looked_at),
            on=NODE,
        )
        assert told.status == 0
        assert re.search(r" (OK|WARN) clock ", told.text)

    @question(26, "bgpctl probe --listen", "bgpctl probe --address 203.0.113.200 --partner n2")
    def test_26_which_attribute_the_router_listens_to(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """BIRD compares all three, so the configured one moves traffic."""
        asked.start(commands[0], on="n2")
        asked.until("ss -Hltn", ":7183 ", on="n2")
        told = asked.run(commands[1], on=NODE)
        assert told.status == 0, told.lines
        for lever in ("med", "asPath", "origin"):
            assert told.row(lever), told.lines

    @question(28, "bgpctl get nodes --all-nodes -o wide")
    def test_28_which_version_runs_where(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """Of the agent and the speaker of each node."""
        told = asked.run(commands[0], on=OPERATOR)
        ours = version("bgpd")
        assert [told.row(name).count(ours) for name in ("n1", "n2", "n3")] == [2, 2, 2]


class TestEndpointLost:
    """Service 1 has no endpoint on n1 any more."""

    state: ClassVar[str] = "endpoint-lost"

    @question(2, "bgpctl explain service-1")
    def test_02_why_an_address_is_not_announced_from_here(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """The gates in their order, the one that stops it, and what would change it."""
        told = asked.until(commands[0], "on n1: not advertised: NoLocalEndpoints", on=NODE).text
        assert "✗ endpoints NoLocalEndpoints: Service default/service-1 has" in told
        assert "no ready endpoint on node n1 (2 elsewhere, 0 not ready)" in told
        assert "change it: Run a ready pod here" in told

    @question(3, "bgpctl explain service-1 --all-nodes --since 1h")
    def test_03_who_announces_it_now_and_who_did_before(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """n1 is among those before, and not among those now."""
        told = asked.until(
            commands[0],
            "203.0.113.10/32: 2 of 3 nodes advertise it",
            r"ago (?=[^.]*n1)[n123, ]+ carried it|n1 Advertised node n1 advertises .* NoLocal",
            "n1 NoLocalEndpoints node n1 does not advertise 203.0.113",
            on=OPERATOR,
            patience=EVENTS_COME,
        )
        assert "NoLocalEndpoints" in told.row("n1")

    @question(4, "bgpctl explain service-1 --all-nodes")
    def test_04_who_carries_the_traffic(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """The two that are left; the router's own table has them and nobody else."""
        asked.until(commands[0], "router 169.254.255.1 spreads over n2, n3", on=OPERATOR)
        router = asked.run("ip route show 203.0.113.10", on="router").text
        assert set(re.findall(r"via (10\.99\.\d\.1)", router)) == {"10.99.2.1", "10.99.3.1"}

    @question(13, "bgpctl timeline --last 1")
    def test_13_why_traffic_moved(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """A withdrawal, of what, and for which reason."""
        asked.until(
            commands[0],
            r"withdraw, generation \d+, 1 route: default/service-1: NoLocalEndpoints",
            *("ms cause .* decision .* command .* flushed router-n1-v4 .* sent router-n1-v4",),
            on=NODE,
        )


class TestPowerLoss:
    """n3 is without power, and the others have taken over."""

    state: ClassVar[str] = "power-loss"

    @question(1, "bgpctl status", "bgpctl status --all-nodes")
    def test_01_a_node_and_a_cluster_that_miss_one(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """The first line is the answer, exit status 3 goes with it, and the problem is named."""
        here = asked.until(commands[0], "^n1 is degraded", "- member n3 is Dead", on=NODE)
        assert here.status == 3
        everywhere = asked.until(
            commands[1], "^the cluster at .* is degraded", "n3: its speaker is Dead, say n1, n2",
            on=OPERATOR,
        )  # fmt: skip
        assert everywhere.status == 3

    @question(4, "bgpctl explain service-1 --all-nodes")
    def test_04_the_dead_carry_nothing(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """Whatever their own report still says."""
        asked.until(commands[0], "router 169.254.255.1 spreads over n1, n2", "n3 dead", on=OPERATOR)

    @question(9, "bgpctl timeline --all-nodes")
    def test_09_what_happened_and_what_clients_lost(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """When, who, which routes; and for how long packets were lost."""
        asked.until(
            commands[0],
            r"\dZ takeover to generation \d+, 24 routes: member n3",
            r"First flushed [0-9.]+ ms (\(± [0-9.]+\) )?after the last sign of life",
            r"[0-9.]+ to [0-9.]+ ms of packets were lost",
            on=OPERATOR,
        )

    @question(10, "bgpctl timeline --all-nodes --last 1")
    def test_10_where_the_time_of_a_failover_went(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """Each step of each survivor, in its order, on one clock whose error is told."""
        told = asked.until(
            commands[0], "takeover to generation", "n1 sent", "n2 sent", "clock of n[12]: .* ± ",
            on=OPERATOR,
        )  # fmt: skip
        for node in ("n1", "n2"):
            steps = ("cause", "decision", "command", "flushed", "sent")
            times = [float(told.row(node, step)[0]) for step in steps]
            assert times == sorted(times)

    @question(22, "bgpctl get members", "bgpctl describe member n3")
    def test_22_who_was_suspected(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """The pair that does not hear each other, and how often that was so."""
        asked.until(commands[0], "n2 10.99.2.1 Alive", "n3 10.99.3.1 Dead", on=NODE)
        told = [asked.until(commands[1], "State: Dead", on=name).text for name in ("n1", "n2")]
        # Who was first suspected it, and the other one may have taken its word.
        assert re.search("Suspicions: [1-9]", " ".join(told))


class TestSessionShut:
    """The router's operator has shut n1's session."""

    state: ClassVar[str] = "session-shut"

    @question(5, "bgpctl explain router-n1-v4")
    def test_05_why_a_session_is_down(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """The router's own words, and the NOTIFICATION that they came in."""
        asked.until(
            commands[0],
            r"session router-n1-v4 \(10\.99\.1\.0\): (Idle|Active|Connect)",
            'the router\'s operator shut the session down, saying "maintenance of the rack"',
            "NOTIFICATION 6/2, Cease, Administrative Shutdown",
            on=NODE,
        )


class TestFiltered:
    """The router refuses one route of n1."""

    state: ClassVar[str] = "filtered"

    @question(8, "birdc show route all > table; bgpctl diff router-n1-v4 --router table")
    def test_08_the_router_refused_one(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """Which one is named, and what was sent of it."""
        told = asked.until(commands[0], "n1: 11 routes the same, 1 differs", on=NODE)
        assert told.status == 1
        assert "✗ 203.0.113.11/32 to router-n1-v4 the router does not have it" in told.text
        assert "sent: next hop 10.99.1.1, MED" in told.text


class TestOnlyHere:
    """Service 4 has endpoints on n1 alone."""

    state: ClassVar[str] = "only-here"

    @question(12, "bgpctl explain node")
    def test_12_a_reboot_would_cost_something(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """The Service that has no other carrier is named, and exit status 3 stops a script."""
        told = asked.until(
            commands[0],
            "^n1 should not be rebooted now",
            r"✗ down while it is away: 203\.0\.113\.13/32 \(default/service-4\)",
            on=NODE,
        )
        assert told.status == 3


class TestCrowded:
    """Service 2 has three of its five endpoints on n2."""

    state: ClassVar[str] = "crowded"

    @question(14, "bgpctl explain service-2")
    def test_14_why_traffic_is_uneven(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """Nodes get the same share and endpoints do not; what would change it."""
        asked.until(
            commands[0],
            r"uneven: each of 3 nodes gets the same share, .*\(n2 3, n1 1, n3 1\)",
            "an endpoint on a node with 1 gets 3 times as much as one on a node with 3",
            "spec.weight: endpoints in the BGPAdvertisement",
            on=NODE,
        )


class TestWaiting:
    """Services ask for what they cannot have, and one shares what it may."""

    state: ClassVar[str] = "waiting-services"

    @question(15, "bgpctl explain pending")
    def test_15_why_a_service_is_pending(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """It has no address yet, for what it asks for is not there; what there is is named."""
        asked.until(
            commands[0],
            "not advertised: NoAddress",
            "annotation address-pool: 'gone' is no IPAddressPool; must be one of lab",
            on=NODE,
        )

    @question(17, "bgpctl explain 203.0.113.12", "bgpctl explain sharing")
    def test_17_who_shares_an_address_and_who_may_not(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """Those who do are told by the address; who may not is told why."""
        asked.until(
            commands[0],
            "default/service-3 203.0.113.12/32 on n1: advertised",
            "default/twin 203.0.113.12/32 on n1",
            "shared with default/service-3",
            on=NODE,
        )
        asked.until(
            commands[1],
            "address 203.0.113.12 is in use by default/service-3, default/twin",
            "no annotation allow-shared-ip, so it shares none",
            on=NODE,
        )


class TestLimited:
    """n1's router takes ten prefixes, and twelve are wanted."""

    state: ClassVar[str] = "limited"

    @question(2, "bgpctl explain service-12 --peer router-n1-v4")
    def test_02_why_an_address_is_not_announced_to_a_peer(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """The node would advertise it; this peer has no room."""
        asked.until(commands[0], "to router-n1-v4 .* ✗ room PrefixLimit: ", on=NODE)

    @question(18, "bgpctl explain router-n1-v4")
    def test_18_how_near_the_prefix_limit_is(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """Taken and left, who is left out now, and who would be next."""
        asked.until(
            commands[0],
            "prefix limit 10: 10 taken, room for 0 more",
            r"left out now: 203\.0\.113\.20/32 \(default/service-11, priority 0\)",
            r"next to be left out, for a higher priority: 203\.0\.113\.19/32",
            on=NODE,
        )


class TestRefused:
    """A pool was applied that overlaps another one."""

    state: ClassVar[str] = "refused"

    @question(19, "bgpctl status --all-nodes", "bgpctl diff -f applied.yaml")
    def test_19_whether_what_was_applied_is_in_force(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """What was refused is told of each node, with both pools; the rest would change nothing."""
        told = asked.until(
            commands[0],
            "n1, n2, n3: ConfigurationRefused: IPAddressPool wrong: 203.0.113.4/32 overlaps "
            "203.0.113.0/24 of IPAddressPool lab",
            on=OPERATOR,
        )
        assert told.status == 3
        same = asked.until(commands[1], "no route would change on 3 nodes", on=OPERATOR)
        assert same.status == 0


class TestNewDocuments:
    """Documents are about to be applied."""

    state: ClassVar[str] = "new-documents"

    @question(20, "bgpctl diff -f new.yaml")
    def test_20_what_new_documents_would_change(
        self, asked: Asked, commands: tuple[str, ...]
    ) -> None:
        """The mistake by name; which routes change and end, where and why; nothing is applied."""
        told = asked.until(
            commands[0],
            "error: IPAddressPool wrong: 203.0.113.4/32 overlaps 203.0.113.0/28",
            "routes on 3 nodes: 18 end, 18 change",
            "communities none -> 65000:7",
            "203.0.113.16/32 ends on n1, n2, n3: AddressNotInPool",
            on=OPERATOR,
        )
        assert told.status == 78


class TestAgentHang:
    """n1's agent has hung for seven seconds."""

    state: ClassVar[str] = "agent-hang"

    @question(21, "bgpctl status", "bgpctl status --all-nodes")
    def test_21_an_agent_is_gone(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """Since when, and what the speaker goes on to announce; the others say it to the API."""
        told = asked.until(
            commands[0],
            "the agent does not answer",
            r"agent silent for \d+s: this is the speaker's own word",
            on=NODE,
        )
        assert told.status == 3
        assert told.row("203.0.113.21/32", "router-n1-v4")
        asked.until(
            commands[1],
            "n1: its agent is silent, say n2, n3; its routes stay as they were",
            on=OPERATOR,
        )


class TestMeshLossy:
    """A tenth of the mesh's packets is lost."""

    state: ClassVar[str] = "mesh-lossy"

    @question(22, "bgpctl get members")
    def test_22_which_pair_loses_packets(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """A row is a pair, and tells its loss."""
        loss = r"\S+ [1-9][0-9.]*%"
        asked.until(commands[0], f"n2 10.99.2.1 {loss}", f"n3 10.99.3.1 {loss}", on=NODE)


class TestDrained:
    """n1 was drained by a person."""

    state: ClassVar[str] = "drained"

    @question(23, "bgpctl status")
    def test_23_a_drain_has_ended(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """Who asked for it, and that nothing is left to do."""
        told = asked.until(
            commands[0],
            r"the node is draining \(a person asked for it\): drained: all routes are withdrawn",
            on=NODE,
        )
        assert told.status == 3


class TestDraining:
    """n1 is to be drained, and nobody else carries the elastic IP of Service 4."""

    state: ClassVar[str] = "draining"

    @question(23, "bgpctl status")
    def test_23_what_a_drain_waits_for(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """The address that has no other carrier, by name."""
        asked.until(
            commands[0],
            "the node is draining .*: 1 route left; another node has to carry 203.0.113.13/32",
            on=NODE,
        )


class TestPodHang:
    """n1's workload accepts connections and says nothing."""

    state: ClassVar[str] = "pod-hang"

    @question(24, "bgpctl get healthchecks")
    def test_24_which_check_fails(self, asked: Asked, commands: tuple[str, ...]) -> None:
        """Of which Service, how often of how many, and with what answer."""
        told = asked.until(
            commands[0],
            r"(?s)default/service-1 Unhealthy \d+/\d+ 10\.99\.1\.1.*default/service-12 Unhealthy",
            on=NODE,
        )
        assert told.row("default/echo", "default/service-12", "Unhealthy")


class TestMetallb:
    """A cluster of its own that has MetalLB, and of bgpd nothing yet."""

    state: ClassVar[str] = ""

    @question(27, "bgpctl migrate check")
    def test_27_what_differs_from_metallb(
        self, own_cluster: Cluster, commands: tuple[str, ...]
    ) -> None:
        """What needs a person, by object and field; what carries over, by number."""
        for some in (metallb.KINDS, [metallb.SPACE], metallb.OBJECTS, metallb.SERVICES):
            own_cluster.apply(some)
        told = typed(commands[0], kubeconfig=own_cluster.kubeconfig)
        assert told.status == 1
        for fact in (
            "NEEDS A PERSON BGPPeer metallb-system/tor-1 spec.vrf: a session in a VRF is not",
            "L2Advertisement metallb-system/flat bgpd does not answer ARP",
            "carries over as it is: 1 IPAddressPool, 2 Services, 2 addresses",
        ):
            assert fact in told.text, told.lines
