"""Which faults are measured where, how often, in which order, and how long that takes. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.lab.faults import FAULTS
from tests.lab.provider import SITES, ProviderName
from tests.lab.report import MANY_SERVICES

ROUTERS = ("bird", "frr")
DEATHS = ("power-loss", "kernel-pause", "pause-then-power-loss")
EVIDENCE = ("pod-hang", "node-port-no", "uplink-down", "gateway-silent")
PURPOSE = (
    "drain",
    "drain-no-agent",
    "drain-cordon",
    "drain-taint",
    "drain-connections",
    "flapping-endpoint",
)
"""What people do to nodes, and what Services do to speakers: nothing may be lost."""
PATIENT = ("rolling-upgrade", "reboot", "kube-proxy-dead", "kubelet-dead", "kube-proxy-dead-all")
SHORT = ("agent-kill", "exabgp-kill", "link-down", "speaker-term")
LONG = (
    "router-restart",
    "mesh-partition",
    "agent-hang",
    "reflex-hang",
    "exabgp-hang",
    "mesh-lossy",
    "mesh-lossy-20",
    "key-rotation",
)

AT_A_PROVIDER = (
    "wrong-gateway",
    "router-dies",
    "router-restarts",
    "router-silent",
    "password-rotated",
    "prefix-limit",
    "prefix-priority",
    "metadata-gone",
    "route-deleted",
)
RESTARTS = ("speaker-restart-gr", "agent-upgrade", "die-during-restart")
BFD_PACES = (
    (None, None),
    ("50x3", "Always"),
    ("300x3", None),
    ("300x3", "Always"),
    ("10x3", None),
)
"""Interval and multiplier with the peers' takeover; None: 50x3, as the fault says, and Auto."""

_BUILD_SECONDS = 4.0
_RUN_SECONDS = 2.0
"""Around each strike: the client starts, a lead, the last answers, the router and mesh recover."""
_RENEWAL_SECONDS = 4.0
_SPARED = 2
"""Accusations of one member after which its nodes are started afresh."""
_STRIKE_SECONDS: Mapping[str, float] = {
    "pause-then-power-loss": 2.0,
    "reflex-kill": 60.0,
    "agent-hang": 5.0,
    "reflex-hang": 6.0,
    "exabgp-hang": 7.0,
    "speaker-term": 0.5,
    "endpoint-lost": 0.2,
    "endpoint-back": 0.4,
    "lossy-power-loss": 15.0,
    "router-restart": 4.0,
    "return": 4.0,
    "idle": 10.0,
    "stress": 10.0,
    "speaker-restart-gr": 1.0,
    "agent-upgrade": 1.0,
    "pod-hang": 1.0,
    "gateway-silent": 15.0,
    "flapping-endpoint": 12.0,
    "drain": 5.0,
    "drain-no-agent": 5.0,
    "drain-cordon": 5.0,
    "drain-taint": 5.0,
    "drain-connections": 10.0,
    "rolling-upgrade": 20.0,
    "key-rotation": 20.0,
    "reboot": 20.0,
    "kube-proxy-dead": 30.0,
    "kubelet-dead": 30.0,
    "kube-proxy-dead-all": 15.0,
    "empty-node": 10.0,
    "wrong-gateway": 12.0,
    "router-restarts": 3.0,
    "router-silent": 102.0,
    "password-rotated": 3.0,
    "prefix-limit": 4.0,
    "prefix-priority": 4.0,
    "metadata-gone": 5.0,
    "route-deleted": 1.0,
}
"""What the strike itself takes; the rest are done at once."""
_MANY_BUILD_SECONDS = 15.0
_MANY_RUN_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One row: a fault on a router, so many times."""

    fault: str
    router: str
    family: str = "v4"
    nodes: int = 3
    services: int = 12
    usual: int = 20
    """Repetitions unless told otherwise: a fault that takes long by its nature gets fewer."""
    zebra_work_queue: int | None = None
    bfd: str | None = None
    """`50x3`; None: as the fault needs it."""
    takeover: str | None = None
    """Of the peers; None: the default."""
    provider: str | None = None
    """Whose network it is; None: nobody's."""

    @property
    def name(self) -> str:
        """Return the name of its file."""
        special = "" if self.zebra_work_queue is None else f"-zebra{self.zebra_work_queue}"
        special += "".join(f"-{word}" for word in (self.bfd, self.takeover, self.provider) if word)
        return f"{self.fault}-{self.router}-{self.family}-{self.services}{special}"

    def runs(self, repeat: int | None) -> int:
        """Return how often the fault happens: *repeat* times where that was asked for."""
        return self.usual if repeat is None else repeat

    def arguments(self, repeat: int | None, json: str) -> list[str]:
        """Return the command line after `scripts/lab run`; its figures go to *json*."""
        options = {
            "router": self.router,
            "family": self.family,
            "nodes": self.nodes,
            "services": self.services,
            "zebra-work-queue": self.zebra_work_queue,
            "bfd": self.bfd,
            "takeover": self.takeover,
            "provider": self.provider,
            "repeat": self.runs(repeat),
            "json": json,
        }
        pairs = ((f"--{key}", str(value)) for key, value in options.items() if value is not None)
        return [self.fault, *(word for pair in pairs for word in pair)]

    def seconds(self, repeat: int | None) -> float:
        """Estimate how long it takes on a quiet machine."""
        fault = FAULTS[self.fault]
        many = self.services >= MANY_SERVICES
        accusations = max(fault.raises or (0,)) + (self.fault == "return")
        run = _RUN_SECONDS + fault.seconds + _STRIKE_SECONDS.get(self.fault, 0.0)
        run += _MANY_RUN_SECONDS if many else 0.0
        # Victims take turns, so a renewal serves as many strikes as all nodes together may bear.
        run += _RENEWAL_SECONDS * accusations * fault.affected / (_SPARED * self.nodes)
        build = _BUILD_SECONDS + (_MANY_BUILD_SECONDS if many else 0.0)
        return build + self.runs(repeat) * run


def all_series() -> Iterator[Series]:
    """Yield every series, the most important first."""
    for family in ("v4", "v6"):
        for fault in DEATHS:
            yield from on_routers(fault, family=family)
    for fault in ("endpoint-lost", "endpoint-back", "one-way-out", "one-way-in"):
        yield from on_routers(fault)
    yield from on_routers("two-nodes", nodes=5)
    yield from on_routers("power-loss", services=MANY_SERVICES, usual=10)
    for fault in (*EVIDENCE, *PURPOSE):
        yield from on_routers(fault, usual=10)
    for fault in PATIENT:
        yield from on_routers(fault, usual=10 if fault in {"rolling-upgrade", "reboot"} else 5)
    yield from with_bfd()
    for fault in RESTARTS:
        yield from on_routers(fault, usual=10)
    yield from at_a_provider()
    yield from on_routers("lossy-power-loss", usual=10)
    yield from on_routers("return", usual=10)
    for fault in SHORT:
        yield from on_routers(fault, usual=10)
    for fault in LONG:
        yield from on_routers(fault, usual=5)
    yield from on_routers("idle", usual=3)
    yield from on_routers("idle", services=MANY_SERVICES, usual=2)
    yield from on_routers("reflex-kill", usual=3)
    for fault in ("endpoint-lost", "endpoint-back"):
        yield Series(fault=fault, router="frr", usual=5, zebra_work_queue=0)
    yield Series(fault="power-loss-bfd", router="frr", usual=10, zebra_work_queue=0)


def with_bfd() -> Iterator[Series]:
    """Yield what is measured with BFD between nodes and routers, and how fast it is there."""
    for router in ROUTERS:
        for bfd, takeover in BFD_PACES:
            yield Series(
                fault="power-loss-bfd", router=router, usual=10, bfd=bfd, takeover=takeover
            )
        yield Series(fault="router-dead-bfd", router=router, usual=10)
        yield Series(fault="router-dead", router=router, usual=3)
        for bfd in ("50x3", "10x3"):
            yield Series(fault="stress", router=router, usual=10, bfd=bfd)


def at_a_provider() -> Iterator[Series]:
    """Yield what is measured at Packet: a node that starts empty, a death, and single losses."""
    site = SITES[ProviderName.PACKET]
    assert site.max_prefixes is not None
    usual = {"empty-node": 10, "power-loss": 20, "router-silent": 2}
    for fault in ("empty-node", "power-loss", *AT_A_PROVIDER):
        for router in ROUTERS:
            yield Series(
                fault=fault,
                router=router,
                services=site.max_prefixes,
                usual=usual.get(fault, 5),
                provider=site.name.value,
            )


def on_routers(
    fault: str, *, family: str = "v4", nodes: int = 3, services: int = 12, usual: int = 20
) -> Iterator[Series]:
    """Yield one series on each router."""
    for router in ROUTERS:
        yield Series(
            fault=fault, router=router, family=family, nodes=nodes, services=services, usual=usual
        )


def plan(wanted: Sequence[Series], *, repeat: int | None, done: Mapping[str, float]) -> list[str]:
    """Return the plan in lines: runs and minutes of each row, those in *done* as measured."""
    lines = [f"{'row':<44}{'runs':>5}{'seconds':>9}  state"]
    left = 0.0
    for series in wanted:
        known = done.get(series.name)
        seconds = series.seconds(repeat) if known is None else known
        left += seconds if known is None else 0.0
        state = "to do" if known is None else "there"
        lines.append(f"{series.name:<44}{series.runs(repeat):>5}{seconds:>9.0f}  {state}")
    whole = sum(series.seconds(repeat) for series in wanted) / 60
    lines.append(f"{len(wanted)} rows, about {whole:.0f} minutes; left: {left / 60:.0f} minutes")
    return lines
