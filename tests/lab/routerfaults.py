"""The faults of routers, of BFD with them, and of restarts that they forgive, as values."""

from tests.lab.fault import Fault, Loss, Sessions
from tests.lab.plan import BfdPlan
from tests.lab.restarts import (
    die_during_restart,
    restart_agent,
    restart_speaker,
    stress,
    unnoticed,
)
from tests.lab.routerstrikes import let_rest, router_dead, router_undead, ways_of_flows
from tests.lab.strikes import power_loss, undrop

_FAST = BfdPlan(interval=50, multiplier=3)
_STALE_SECONDS = 120
_WAYS = ("answered_through_dead_gap_ms", "flows_apart_lost")

ROUTER_FAULTS = (
    Fault(
        name="power-loss-bfd",
        sentence="as power-loss, and the router hears BFD of its nodes (50 ms x 3)",
        strike=power_loss,
        heal=undrop,
        needs={"bfd": _FAST},
        gap_ms=400,
        bfd_gap=True,
        moves=True,
        raises=(1,),
        loss=Loss.AFFECTED,
    ),
    Fault(
        name="router-dead",
        sentence="one of two routers drops everything in silence, its links stay up",
        strike=router_dead,
        prepare=let_rest,
        heal=router_undead,
        needs={"routers": 2},
        affected=0,
        seconds=5.0,
        examine=ways_of_flows,
        reported=("through_dead_gap_ms", *_WAYS),
    ),
    Fault(
        name="router-dead-bfd",
        sentence="one of two routers drops everything in silence, all speak BFD (50 ms x 3)",
        strike=router_dead,
        prepare=let_rest,
        heal=router_undead,
        needs={"routers": 2, "bfd": _FAST, "egress": True},
        affected=0,
        seconds=3.0,
        examine=ways_of_flows,
        targets={"through_dead_gap_ms": 250},
        reported=_WAYS,
    ),
    Fault(
        name="speaker-restart-gr",
        sentence="the speaker is restarted (SIGTERM), the router keeps its routes meanwhile",
        strike=restart_speaker,
        needs={"graceful_restart": _STALE_SECONDS},
        loss=Loss.NONE,
        raises=(0,),
        seconds=3.0,
        examine=unnoticed,
        reported=("exit_seconds", "back_seconds"),
    ),
    Fault(
        name="agent-upgrade",
        sentence="the agent is restarted (SIGTERM), as an upgrade does",
        strike=restart_agent,
        loss=Loss.NONE,
        sessions=Sessions.KEPT,
        raises=(0,),
        seconds=3.0,
        examine=unnoticed,
    ),
    Fault(
        name="die-during-restart",
        sentence="a speaker says goodbye, the router keeps its routes for 120 s, its node dies",
        strike=die_during_restart,
        heal=undrop,
        needs={"graceful_restart": _STALE_SECONDS},
        gap_ms=400,
        moves=True,
        raises=(1,),
        loss=Loss.AFFECTED,
    ),
    Fault(
        name="stress",
        sentence="every core is busy for ten seconds, with BFD of 50 ms x 3",
        strike=stress,
        needs={"bfd": _FAST},
        sessions=Sessions.KEPT,
        reported=("bfd_downs",),
        loss=Loss.ANY,
        seconds=1.0,
        lasting=True,
    ),
)
