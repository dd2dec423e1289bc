"""What each fault of the API server does, and what all of them have in common.

Traffic flows the whole time. Somebody changes an object while the server is away, namely the
endpoint of Service 1 on one node goes, and the router must know soon after the server is back.
Meanwhile no other route may change, and no node but that one may lose this one.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bgpd.kube.resource import resources
from tests.lab.control import NETNS, ControlPlane
from tests.lab.nodes import HERE, Node, until
from tests.lab.plan import API_ADDRESS, API_PORT, number
from tests.lab.strikes import Findings
from tests.lab.topology import inside, run

if TYPE_CHECKING:
    from tests.lab.run import Lab

CONVERGED: Final = "converged_seconds"
"""From the moment at which the API is back to the changed route in the router's kernel."""
_FRONT_PORT: Final = 7443
_SLOW_SECONDS: Final = 2.0
_QUICK: Final = 6.0
_MOST: Final = 60.0
"""Seconds after which a change that does not come is given up; the target is far below."""
_SETTLE: Final = 2.0
"""How long the router is watched after the change has come: a second look may do harm as well."""
_POLL: Final = 0.2
_SAID_WITHIN: Final = 15.0
"""Seconds of an outage after which every agent must have said what it meets, also a short one's."""
_RESOURCES: Final = sum(not one.foreign for one in resources("bgpd-system"))
"""That an agent follows and that are installed."""


@dataclass(slots=True)
class Outage:
    """One outage while it lasts."""

    lab: "Lab"
    control: ControlPlane
    node: Node
    """Whose endpoint goes."""
    seconds: float
    change: Callable[[], None]
    """Makes the change by whatever way there is."""
    begun: float
    back: float = 0.0
    """When it was over."""
    changed: float = 0.0

    def last(self, share: float, expected: frozenset[str] = frozenset()) -> frozenset[str]:
        """Wait for that share of the outage; return which of *expected* the agents all said.

        A short outage waits for their word, which it would else be over before.
        """
        end = self.begun + self.seconds * share
        said: dict[str, set[str]] = {name: set() for name in self.lab.nodes}

        def found() -> frozenset[str]:
            return expected.intersection(*said.values())

        most = max(end, self.begun + _SAID_WITHIN)
        while time.monotonic() < (end if found() == expected else most):
            if expected:
                for name, node in self.lab.nodes.items():
                    said[name] |= node.reasons()
            time.sleep(_POLL)
        return found()

    def make(self) -> None:
        """Make the change now."""
        self.changed = time.monotonic()
        self.change()

    def over(self) -> None:
        """Note that the API is back."""
        self.back = time.monotonic()


Course = Callable[[Outage], Findings]


def outage(course: Course, default: float, *, stored: bool = False) -> Callable[..., Findings]:
    """Return the strike that goes through *course*; with *stored*, the change bypasses the API."""

    def strike(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
        (node,) = nodes
        control = lab.control
        assert control is not None
        assert lab.watch is not None
        rest = tuple(name for name in lab.plan.names if name != node.name)
        changes: dict[bool, Callable[[], None]] = {
            True: lambda: control.store(lab.stored),
            False: lambda: _ignore(control.write_endpoints(1, rest)),
        }
        lab.strike_time = time.monotonic()
        seconds = lab.plan.outage or (_QUICK if lab.plan.quick else default)
        current = Outage(lab, control, node, seconds, changes[stored], lab.strike_time)
        since = len(lab.watch.routes)
        findings = course(current)
        return {**findings, **_converged(current, since)}

    return strike


def remember_change(lab: "Lab", nodes: tuple[Node, ...]) -> None:
    """Prepare: learn how the change is stored, to be made where no API server answers."""
    (node,) = nodes
    assert lab.control is not None
    rest = tuple(name for name in lab.plan.names if name != node.name)
    lab.control.write_endpoints(1, rest)
    lab.stored = lab.control.stored_endpoints(1)
    lab.control.write_endpoints(1, lab.plan.names)
    time.sleep(1)
    lab.steady()
    time.sleep(1)  # the agents remember what is in force now


def kill(current: Outage) -> Findings:
    """Kill the API server; when it is back, etcd has forgotten what was before."""
    current.control.cluster.kill_api()
    said = current.last(0.5, frozenset({"ApiUnreachable"}))
    return _end_of_kill(current) | {"agents_said_unreachable": bool(said)}


def kill_and_restart_agent(current: Outage) -> Findings:
    """Kill the API server, then the agent, which has to go on from its memory."""
    current.control.cluster.kill_api()
    current.last(0.2)
    current.node.signal("agent", signal.SIGKILL)
    remembered = False
    end, most = current.begun + max(current.seconds, _QUICK), current.begun + _MOST
    while time.monotonic() < (end if remembered else most):
        remembered = remembered or "SourceUnread" in current.node.reasons()
        time.sleep(_POLL)
    return _end_of_kill(current) | {"agent_went_on_from_memory": remembered}


def _end_of_kill(current: Outage) -> Findings:
    current.make()
    current.last(1)
    current.control.cluster.compact()
    current.control.cluster.restart_api()
    current.over()
    return {}


def hang(current: Outage) -> Findings:
    """Stop the API server: it accepts, and answers nothing."""
    current.control.signal(signal.SIGSTOP)
    try:
        current.last(0.5)
        current.make()
        current.last(1)
    finally:
        current.control.signal(signal.SIGCONT)
    current.over()
    return {}


def slow(current: Outage) -> Findings:
    """Delay every request by two seconds."""
    with _front(current, "slow"):
        current.last(0.5)
        current.make()
        current.last(1)
    current.over()
    return {}


def empty(current: Outage) -> Findings:
    """Lie once to each agent about each resource."""
    lies = current.control.directory / "lies"
    wanted = _RESOURCES * current.lab.plan.nodes
    with _front(current, "empty"):
        said = current.last(0.5, frozenset({"ApiTellsThePast"}))
        until(lambda: _count(lies) >= wanted, 60, "not every agent asked for everything")
        current.make()
        current.last(1)
    current.over()
    return {"lies": _count(lies), "agents_said_past": bool(said)}


def expire_token(current: Outage) -> Findings:
    """Give every agent an expired token, and a reason to show it."""
    current.control.write_token(expired=True)
    current.control.cut_connections()
    said = current.last(0.5, frozenset({"ApiUnauthorized"}))
    current.make()
    current.last(1)
    current.control.write_token()
    current.over()
    return {"agents_said_unauthorized": bool(said)}


def cut(current: Outage) -> Findings:
    """Drop everything between nodes and API server, without a word to either."""
    lines = ["table netdev cut {"]
    for i in map(number, current.lab.plan.names):
        for hook in ("ingress", "egress"):
            head = f"type filter hook {hook} device m{i} priority 0; policy drop;"
            lines.append(f" chain {hook}{i} {{ {head}\n }}")
    lines.append("}")
    run(*inside(NETNS), "nft", "-f", "-", text="\n".join(lines))
    try:
        current.last(0.5)
        current.make()
        current.last(1)
    finally:
        run(*inside(NETNS), "nft", "delete", "table", "netdev", "cut")
    current.over()
    return {}


def _converged(current: Outage, since: int) -> Findings:
    """Wait for the changed route; tell how long after the end it came, and what else changed."""
    lab = current.lab
    assert lab.watch is not None
    wanted = {lab.plan.prefix(1, version) for version in lab.plan.family.versions}
    name = current.node.name

    def away() -> bool:
        paths = lab.router.paths()
        return all(name not in paths.get(prefix, frozenset({name})) for prefix in wanted)

    until(away, _MOST, "the change did not reach the router", 0.05)
    time.sleep(_SETTLE)
    changes = lab.watch.routes[since:]
    stay = lab.addresses(*(node for node in lab.nodes.values() if node is not current.node))
    kept = all(
        change.prefix in wanted and not change.deleted and bool(change.gateways & stay)
        for change in changes
    )
    last = changes[-1].at if changes else time.monotonic()
    return {
        CONVERGED: round(max(0.0, last - current.back), 2),
        "change_to_route_seconds": round(last - current.changed, 2),
        "no_route_withdrawn": kept,
    }


@contextmanager
def _front(current: Outage, mode: str) -> Iterator[None]:
    """Stand between nodes and server; connections that exist are reset, before and after."""
    control = current.control
    spec = control.directory / "front.json"
    spec.write_text(json.dumps(_front_spec(control, mode)))
    with (control.directory / "front.log").open("ab") as log:
        process = subprocess.Popen(
            [*inside(NETNS), sys.executable, "-S", "-E", str(HERE / "front.py"), str(spec)],
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        with _redirected():
            control.cut_connections()
            yield
    finally:
        process.kill()
        process.communicate()


def _front_spec(control: ControlPlane, mode: str) -> Mapping[str, str | int | float]:
    keys = control.directory / "pki"
    lies = control.directory / "lies"
    lies.write_text("0")
    return {
        "mode": mode,
        "address": API_ADDRESS,
        "port": API_PORT,
        "listen": _FRONT_PORT,
        "delay": _SLOW_SECONDS,
        "authority": str(control.cluster.authority),
        "certificate": str(keys / "apiserver.crt"),
        "key": str(keys / "apiserver.key"),
        "counts": str(lies),
    }


def _redirected() -> AbstractContextManager[None]:
    return _table(
        "front",
        f"""table ip front {{
 chain nodes {{
  type nat hook prerouting priority dstnat; policy accept;
  iifname "mgmt" tcp dport {API_PORT} redirect to :{_FRONT_PORT}
 }}
}}""",
    )


@contextmanager
def _table(name: str, text: str) -> Iterator[None]:
    run(*inside(NETNS), "nft", "-f", "-", text=text)
    try:
        yield
    finally:
        run(*inside(NETNS), "nft", "delete", "table", "ip", name)


def _count(file: Path) -> int:
    return int(file.read_text() or 0)


def _ignore(_moment: float) -> None:
    """Take what nobody needs."""
