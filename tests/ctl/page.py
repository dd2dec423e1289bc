"""The screens in docs/bgpctl.md, each what the program prints; `python -m tests.ctl.page`.

Above each stands a comment that says where a command runs and which it is; the program itself is
run there, against a node (or the API of a cluster) that answers from tables.
"""

import asyncio
import dataclasses
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bgpd.ctl.view import View
from bgpd.ipc.message import Answer
from bgpd.model.grounds import PeerRoute, SpeakerRoutes
from bgpd.model.health import Health, ProbeResult
from bgpd.model.inventory import CheckDocument, Inventory, PeerDocument, PoolUse
from bgpd.model.member import NodeName
from bgpd.model.peer import PeerName, PeerState
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.route import Advertisement, Attributes
from bgpd.model.status import HealthStatus, SpeakerStatus
from tests.ctl.apifake import NODES, STATUSES, api
from tests.ctl.fakes import Result, bgpctl, serving
from tests.ctl.samples import NODE, NOW, SPEAKER, member
from tests.ctl.test_fleet import node, written

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "bgpctl.md"
_RUN_DIR: Final = Path("xrun/bgpd")
"""As long as /run/bgpd, which stands on the page: lines are broken at the same places."""
_SERVER: Final = re.compile(r"http://127\.0\.0\.1:\d{5}")
"""As long as what stands on the page in its place."""
_BLOCK: Final = re.compile(
    r"<!-- (?P<where>[^:\n]+): `(?P<line>bgpctl [^\n]*)` -->\n```(?P<form>\w+)\n.*?```\n", re.DOTALL
)
_MOMENTS: Final = frozenset({"since", "started", "agent_absent_since", "at"})

TYPO: Final = """\
apiVersion: bgpd.io/v1alpha1
kind: BGPPeer
metadata:
  name: tor-a
spec:
  myASN: 65000
  peerASN: 4294967296
  peerAdress: 169.254.255.1
"""
HEALTH: Final = HealthStatus(
    node={"carrier": Health.HEALTHY, "kube-proxy": Health.HEALTHY, "kubelet": Health.HEALTHY},
    probes=(
        ProbeResult(
            check="shop/cart-answers",
            service="shop/cart",
            health=Health.UNHEALTHY,
            message="10.244.1.7:8080 answered 503",
            since=NOW - 15_000,
            failures=41,
            probes=1200,
        ),
        ProbeResult(
            check="default/dns-answers",
            service="default/dns",
            health=Health.HEALTHY,
            since=NOW - 90_061,
            probes=90_061,
        ),
    ),
)
CART: Final = Withheld(
    service="shop/cart",
    prefix=Prefix("203.0.113.9/32"),
    reason=Reason.HEALTH_CHECK_FAILED,
    message="HealthCheck shop/cart-answers: 10.244.1.7:8080 answered 503",
)
HERE: Final = replace(
    SPEAKER,
    routes=tuple(one for one in SPEAKER.routes if one.prefix != CART.prefix),
    sessions=tuple(
        replace(
            one,
            advertised=2,
            families=(Family.IPV4, Family.IPV6),
            local_address=Address("10.0.0.1"),
        )
        for one in SPEAKER.sessions
    ),
)
AGENT: Final = replace(
    NODE, speaker=HERE, health=HEALTH, withheld=(*NODE.withheld, CART), source="kubernetes"
)
INVENTORY: Final = Inventory(
    pools=(
        PoolUse(
            name="public",
            prefixes=(Prefix("203.0.113.0/24"), Prefix("2001:db8::/64")),
            total_ipv4=256,
            total_ipv6=2**62,
            used_ipv4=218,
            used_ipv6=1,
            services=219,
        ),
        PoolUse(
            name="reserve",
            prefixes=(Prefix("198.51.100.0/28"),),
            total_ipv4=16,
            auto_assign=False,
        ),
    ),
    peers=(
        PeerDocument(
            name=PeerName("rack-2"),
            selected=False,
            in_force=False,
            address=Address("10.0.2.1"),
            peer_asn=65531,
        ),
        *(
            PeerDocument(
                name=PeerName(f"tor-{letter}"),
                selected=True,
                in_force=True,
                address=Address(f"169.254.255.{number}"),
                peer_asn=65530,
                local_asn=65000,
            )
            for number, letter in enumerate("ab", 1)
        ),
    ),
    checks=(
        CheckDocument(name="default/dns-answers", probe="dns"),
        CheckDocument(name="shop/cart-answers", probe="httpGet", period_milliseconds=100),
    ),
)
ROUTES: Final = SpeakerRoutes(
    node="n1",
    routes=tuple(
        PeerRoute(
            peer=peer,
            prefix=one.prefix,
            wanted=Advertisement(peer=peer, prefix=one.prefix),
            told=Attributes(next_hop=Address("10.0.0.1"), med=one.med),
        )
        for peer in (PeerName("tor-a"), PeerName("tor-b"))
        for one in HERE.routes
        if peer in one.peers
    ),
    established=(PeerName("tor-a"), PeerName("tor-b")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command runs: who answers there."""

    agent: bool = True
    speaker: bool = True
    cluster: bool = False
    hangs: bool = False
    """Whether the agent takes questions and answers none."""


PLACES: Final[Mapping[str, Place]] = {
    "on a node": Place(),
    "on a node whose agent is dead": Place(agent=False),
    "on a node whose agent hangs": Place(hangs=True),
    "on a node whose speaker is dead": Place(speaker=False),
    "on a node where nothing runs": Place(agent=False, speaker=False),
    "on a workstation": Place(agent=False, speaker=False, cluster=True),
}


def shifted(value: Any, by: float) -> Any:
    """Return *value* with every moment in it moved, so that ages are what they are at NOW.

    The program looks at its clock later than we do. So no screen may show an age of less than an
    hour, which is told to the second.
    """
    if isinstance(value, tuple):
        return tuple(shifted(one, by) for one in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    changes = {}
    for field in dataclasses.fields(value):
        one = getattr(value, field.name)
        moved = field.name in _MOMENTS and isinstance(one, float) and one > 0
        changes[field.name] = one + by if moved else shifted(one, by)
    return replace(value, **changes)


def written_anew(text: str) -> str:
    """Return the page *text* with each screen as the program prints it now."""
    return _BLOCK.sub(_screen, text)


def commands(text: str) -> list[tuple[str, str]]:
    """Return where each command of the page *text* runs, and the command."""
    return [(found["where"], found["line"]) for found in _BLOCK.finditer(text)]


def _screen(found: re.Match[str]) -> str:
    where, line, form = found["where"], found["line"], found["form"]
    with tempfile.TemporaryDirectory() as directory, chdir(directory):
        _RUN_DIR.mkdir(parents=True)
        Path("peers.yaml").write_text(TYPO)
        result = _run(PLACES[where], shlex.split(line)[1:])
    shown = f"$ {line}\n{result.errors}{result.output}".replace(str(_RUN_DIR), "/run/bgpd")
    shown = _SERVER.sub("https://10.0.0.10:6443", shown)
    if result.status:
        shown += f"$ echo $?\n{result.status}\n"
    return f"<!-- {where}: `{line}` -->\n```{form}\n{shown}```\n"


def _run(place: Place, words: list[str]) -> Result:
    by = time.time() - NOW
    ours = {"BGPD_RUN_DIR": str(_RUN_DIR), "PYTHONPATH": str(ROOT)}
    agent = {
        "status": Answer(content=shifted(AGENT, by)),
        "inventory": Answer(content=INVENTORY),
    }
    speaker = {"status": Answer(content=shifted(HERE, by)), "routes": Answer(content=ROUTES)}
    if place.cluster:
        with api(Path.cwd(), _cluster(by)) as config:
            return asyncio.run(bgpctl(*words, KUBECONFIG=str(config), **ours))

    async def story() -> Result:
        async with serving(
            _RUN_DIR,
            agent=({} if place.hangs else agent) if place.agent else None,
            speaker=speaker if place.speaker else None,
        ):
            return await bgpctl(*words, **ours)

    return asyncio.run(story())


def _cluster(by: float) -> dict[str, list[dict[str, Any]]]:
    """Return three nodes: one that is fine, one whose health withholds a route, one without it."""
    views = {
        "n1": View(agent=AGENT, speaker=HERE),
        "n2": _other("n2", SPEAKER),
        "n3": _other(
            "n3",
            replace(
                SPEAKER,
                sessions=(
                    SPEAKER.sessions[0],
                    replace(
                        SPEAKER.sessions[1],
                        state=PeerState.ACTIVE,
                        hold_time=None,
                        advertised=0,
                        last_error="the peer did not answer: no route to host",
                    ),
                ),
            ),
        ),
    }
    return {
        NODES: [node(name) for name in views],
        STATUSES: [written(shifted(view, by), name) for name, view in views.items()],
    }


def _other(name: str, speaker: SpeakerStatus) -> View:
    there = replace(speaker, node=name)
    if there.mesh is not None:
        others = tuple(member(one, f"10.0.0.{one[1]}") for one in ("n1", "n2", "n3") if one != name)
        there = replace(there, mesh=replace(there.mesh, node=name, members=others))
    return View(agent=replace(NODE, node=NodeName(name), speaker=there), speaker=there)


if __name__ == "__main__":
    PAGE.write_text(written_anew(PAGE.read_text()))
    sys.exit(0)
