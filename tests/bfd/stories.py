"""What happens between a node and a real router, told once for the tests and the recordings."""

from dataclasses import dataclass, replace
from typing import Any, Final

from bgpd.model.peer import Peer
from tests.bfd.node import peer
from tests.bfd.rig import FAR, NODE, NODE6, ROUTER, ROUTER6, Bfd

FAST: Final[dict[str, Any]] = {"receive_milliseconds": 50, "transmit_milliseconds": 50}
SECRET: Final = "open sesame"  # noqa: S105 - of a test
PATIENT: Final = 200
"""Intervals of 50 ms without a packet that a patient session bears."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One way to configure BFD at both ends."""

    name: str
    router: str
    """bird or frr."""
    options: str
    """Of the router's session; with BIRD, of its interface."""
    wanted: Peer
    neighbor: str = f'neighbor {NODE} dev "downlink";'
    """How BIRD names us."""
    multihop: bool = False

    def patient(self, intervals: int = PATIENT) -> "Story":
        """Return it with so many *intervals* of patience: a noisy machine brings none down."""
        assert self.wanted.bfd is not None
        return replace(
            self,
            options=self.options.replace("multiplier 3", f"multiplier {intervals}"),
            wanted=replace(self.wanted, bfd=replace(self.wanted.bfd, multiplier=intervals)),
        )

    def start(self, lab: Bfd) -> None:
        """Start the router."""
        if self.multihop:
            lab.router_space.run("ip", "addr", "add", f"{FAR}/32", "dev", "lo")
            lab.node_space.run("ip", "route", "add", FAR, "via", ROUTER)
        if self.router == "bird":
            kind = "multihop" if self.multihop else 'interface "downlink"'
            lab.bird(f"{kind} {{ {self.options} }}; {self.neighbor}")
        else:
            lab.frr(f"bfd\n{self.options}\nexit\n")


def _frr(session: str, *, interval: int = 50) -> str:
    return (
        f" profile fast\n  transmit-interval {interval}\n  receive-interval {interval}\n"
        f"  detect-multiplier 3\n exit\n peer {session}\n  profile fast\n exit"
    )


_BIRD: Final = "interval 50 ms; multiplier 3;"
_FAR_PEER: Final = peer(FAR, NODE, **FAST, multihop=True, minimum_ttl=60)
"""BIRD's multihop packets leave with the kernel's TTL of 64, FRR's with 255."""

STORIES: Final = (
    Story(name="bird", router="bird", options=_BIRD, wanted=peer(ROUTER, NODE, **FAST)),
    Story(
        name="bird-v6",
        router="bird",
        options=_BIRD,
        neighbor=f'neighbor {NODE6} dev "downlink" local {ROUTER6};',
        wanted=peer(ROUTER6, NODE6, **FAST),
    ),
    Story(
        name="bird-sha1",
        router="bird",
        options=f'{_BIRD} authentication meticulous keyed sha1; password "{SECRET}" {{ id 3; }};',
        wanted=peer(ROUTER, NODE, **FAST, password=SECRET, key_id=3),
    ),
    Story(
        name="bird-multihop",
        router="bird",
        options=_BIRD,
        neighbor=f"neighbor {NODE} local {FAR} multihop on;",
        wanted=_FAR_PEER,
        multihop=True,
    ),
    Story(
        name="frr",
        router="frr",
        options=_frr(f"{NODE} local-address {ROUTER} interface downlink"),
        wanted=peer(ROUTER, NODE, **FAST),
    ),
    Story(
        name="frr-v6",
        router="frr",
        options=_frr(f"{NODE6} local-address {ROUTER6} interface downlink"),
        wanted=peer(ROUTER6, NODE6, **FAST),
    ),
    Story(
        name="frr-multihop",
        router="frr",
        options=_frr(f"{NODE} multihop local-address {FAR}"),
        wanted=_FAR_PEER,
        multihop=True,
    ),
)
