"""The faults as values: a name, a sentence, what is done, and the promise about it."""

from dataclasses import dataclass, field
from enum import Enum

from tests.lab.strikes import (
    Heal,
    Strike,
    come_back,
    die_first,
    hanging,
    idle,
    kernel_pause,
    kernel_resume,
    kill_reflex_often,
    killing,
    link_down,
    link_up,
    lose_endpoint,
    lossy_mesh,
    lossy_power_loss,
    mesh_partition,
    nothing,
    one_way,
    pause_then_power_loss,
    power_loss,
    regain_endpoint,
    restart_router,
    restore_endpoints,
    terminate_speaker,
    undrop,
    without_endpoint,
)


class Loss(Enum):
    """How much UDP loss a fault may cause."""

    NONE = "no packet lost"
    ONE_A_FLOW = "at most one packet lost a flow"
    AFFECTED = "no packet lost by flows of other nodes"
    ANY = "loss is reported"


class Sessions(Enum):
    """What becomes of the affected nodes' sessions, as the router tells it."""

    KEPT = "established when the traffic had moved"
    LOST = "lost, and back without anyone's help"
    ANY = "reported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way in which things go wrong, and the promise about it."""

    name: str
    sentence: str
    strike: Strike
    heal: Heal = nothing
    seconds: float = 2.0
    """How long traffic is watched after the strike returned."""
    affected: int = 1
    least_nodes: int = 3
    needs_traffic: bool = True
    """Measured by packets, so it needs a router that forwards."""
    client: bool = True
    """Whether the client sends meanwhile."""
    moves: bool = False
    """Whether every route must have left the affected nodes when the time is over."""
    gap_ms: float | None = None
    """Target for the worst flow; None where the table promises no gap."""
    loss: Loss = Loss.ANY
    sessions: Sessions = Sessions.ANY
    raises: tuple[int, ...] | None = None
    """Raises of the generation that are right; None: reported only."""
    targets: dict[str, float] = field(default_factory=dict)
    """Other targets by finding, in that finding's unit."""


PREPARE: dict[str, Heal] = {"endpoint-back": without_endpoint, "return": die_first}
"""What has to happen before traffic is watched, by fault."""


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            name="power-loss",
            sentence="everything to and from a node is dropped, its link stays up",
            strike=power_loss,
            heal=undrop,
            gap_ms=400,
            sessions=Sessions.KEPT,
            moves=True,
            raises=(1,),
            loss=Loss.AFFECTED,
        ),
        Fault(
            name="link-down",
            sentence="a node's link loses its carrier",
            strike=link_down,
            heal=link_up,
            gap_ms=100,
            sessions=Sessions.LOST,
            loss=Loss.AFFECTED,
        ),
        Fault(
            name="kernel-pause",
            sentence="every process of a node is stopped (SIGSTOP)",
            strike=kernel_pause,
            heal=kernel_resume,
            gap_ms=400,
            sessions=Sessions.KEPT,
            moves=True,
            raises=(1,),
            loss=Loss.AFFECTED,
        ),
        Fault(
            name="pause-then-power-loss",
            sentence="a node sleeps one second, is awake one second, then loses power",
            strike=pause_then_power_loss,
            heal=undrop,
            gap_ms=400,
            sessions=Sessions.KEPT,
            moves=True,
            raises=(2,),
            loss=Loss.AFFECTED,
        ),
        Fault(
            name="agent-kill",
            sentence="the agent of a node is killed (SIGKILL)",
            strike=killing("agent"),
            loss=Loss.NONE,
            sessions=Sessions.KEPT,
            raises=(0,),
            seconds=4,
        ),
        Fault(
            name="reflex-kill",
            sentence="the reflex of a node is killed thirty times in a minute",
            strike=kill_reflex_often,
            loss=Loss.NONE,
            sessions=Sessions.KEPT,
            raises=(0,),
        ),
        Fault(
            name="exabgp-kill",
            sentence="ExaBGP of a node is killed (SIGKILL)",
            strike=killing("speaker"),
            gap_ms=100,
            sessions=Sessions.LOST,
            seconds=4,
            loss=Loss.AFFECTED,
        ),
        Fault(
            name="agent-hang",
            sentence="the agent of a node hangs for five seconds (SIGSTOP)",
            strike=hanging("agent", 5),
            loss=Loss.NONE,
            sessions=Sessions.KEPT,
            raises=(0,),
        ),
        Fault(
            name="reflex-hang",
            sentence="the reflex of a node hangs (SIGSTOP)",
            strike=hanging("reflex", 6),
            loss=Loss.NONE,
            sessions=Sessions.KEPT,
        ),
        Fault(
            name="exabgp-hang",
            sentence="ExaBGP of a node hangs (SIGSTOP) until its reflex ends it",
            strike=hanging("speaker", 7),
            gap_ms=100,
            sessions=Sessions.LOST,
            loss=Loss.AFFECTED,
        ),
        Fault(
            name="speaker-term",
            sentence="the speaker of a node is told to end (SIGTERM)",
            strike=terminate_speaker,
            loss=Loss.ONE_A_FLOW,
            raises=(0,),
            seconds=3,
        ),
        Fault(
            name="endpoint-lost",
            sentence="a Service loses its endpoint on one node: a document is rewritten",
            strike=lose_endpoint,
            heal=restore_endpoints,
            loss=Loss.AFFECTED,
            sessions=Sessions.KEPT,
            raises=(0,),
            seconds=0.5,
            targets={"route_ms": 15},
        ),
        Fault(
            name="endpoint-back",
            sentence="a Service has an endpoint on one node again: a document is rewritten",
            strike=regain_endpoint,
            heal=restore_endpoints,
            loss=Loss.AFFECTED,
            sessions=Sessions.KEPT,
            raises=(0,),
            seconds=0.5,
            targets={"route_ms": 15},
        ),
        Fault(
            name="mesh-partition",
            sentence="the mesh of one node is cut, BGP and traffic pass",
            strike=mesh_partition,
            heal=undrop,
            loss=Loss.NONE,
            sessions=Sessions.KEPT,
            seconds=4,
        ),
        Fault(
            name="mesh-lossy",
            sentence="5 % of the mesh's packets are lost, for ten seconds",
            strike=lossy_mesh(5),
            heal=undrop,
            loss=Loss.NONE,
            sessions=Sessions.KEPT,
            seconds=10,
        ),
        Fault(
            name="mesh-lossy-20",
            sentence="20 % of the mesh's packets are lost, for ten seconds",
            strike=lossy_mesh(20),
            heal=undrop,
            loss=Loss.NONE,
            sessions=Sessions.KEPT,
            seconds=10,
        ),
        Fault(
            name="lossy-power-loss",
            sentence="every link loses 5 % of what enters it, then a node loses power",
            strike=lossy_power_loss,
            heal=undrop,
            gap_ms=400,
            sessions=Sessions.KEPT,
            moves=True,
            raises=(1,),
        ),
        Fault(
            name="one-way-out",
            sentence="a node sends, but hears nothing",
            strike=one_way("egress"),
            heal=undrop,
            gap_ms=500,
            sessions=Sessions.KEPT,
            moves=True,
            raises=(1,),
            loss=Loss.AFFECTED,
        ),
        Fault(
            name="one-way-in",
            sentence="a node hears, but nothing that it sends arrives",
            strike=one_way("ingress"),
            heal=undrop,
            gap_ms=500,
            sessions=Sessions.KEPT,
            moves=True,
            raises=(1,),
            loss=Loss.AFFECTED,
        ),
        Fault(
            name="two-nodes",
            sentence="two of five nodes lose power at the same instant",
            strike=power_loss,
            heal=undrop,
            gap_ms=400,
            sessions=Sessions.KEPT,
            affected=2,
            least_nodes=5,
            loss=Loss.AFFECTED,
        ),
        Fault(
            name="router-restart",
            sentence="the routing daemon is killed and started again",
            strike=restart_router,
            needs_traffic=False,
            seconds=1,
            targets={"sessions_back_seconds": 5, "routes_after_seconds": 1},
        ),
        Fault(
            name="return",
            sentence="a node that had lost power comes back",
            strike=come_back,
            loss=Loss.NONE,
            raises=(0,),
            seconds=3,
        ),
        Fault(
            name="idle",
            sentence="nothing happens for ten seconds: what bgpd costs on one node",
            strike=idle,
            needs_traffic=False,
            client=False,
            seconds=0,
            least_nodes=1,
            raises=(0,),
            targets={"speaker_pss_mb": 80, "agent_pss_mb": 60, "cpu_percent": 2},
        ),
    )
}
