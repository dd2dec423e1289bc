"""Gather what `bgpctl doctor` judges, from whatever answers, all at once and never for long.

Each look runs in a thread that nobody has to wait for: a name server that is silent holds up its
own line, and nothing else. What fails in a look is a fact like any other.
"""

import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from bgpd.ctl import doctorkernel, doctormetadata, doctorreach, observe
from bgpd.ctl.doctorfacts import (
    Attempt,
    Facts,
    HostFacts,
    MemberFacts,
    MetadataFacts,
    PeerFacts,
    ProcessFacts,
    StateFacts,
    Way,
)
from bgpd.ctl.doctorroute import uplinks
from bgpd.ctl.doctorsession import talks
from bgpd.ctl.view import View, arranged
from bgpd.ipc.message import Desired
from bgpd.model.configuration import BGPPeer
from bgpd.model.errors import BgpdError, ConfigError
from bgpd.model.health import LocalHealthPolicy
from bgpd.model.member import MESH_PORT, Member
from bgpd.model.peer import Peer
from bgpd.model.prefix import Address
from bgpd.model.status import MemberState, NodeStatus, SessionStatus, SpeakerStatus

PATIENCE: Final = 1.0
"""Seconds after which a person at a terminal is told what is being waited for."""
_MARGIN: Final = 1.0
"""What a look may take beyond its own timeouts."""
_MOST_MEMBERS: Final = 32
"""Members that are pinged: of a thousand those that are not heard."""
_CREDENTIALS: Final = struct.Struct("=iII")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What to ask, and for how long."""

    agent: Path
    speaker: Path
    state: Path
    timeout: float
    pings: bool = True


class Looks:
    """Functions that run at the same time, each in a thread that may be left behind."""

    def __init__(self, seconds: float) -> None:
        """Give all of them together *seconds*."""
        self._deadline = time.monotonic() + seconds
        self._began = time.monotonic()
        self._results: dict[str, Any] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._told = False

    def start(self, name: str, function: Callable[..., object], *arguments: object) -> None:
        """Run *function*; its result is had by *name*."""

        def run() -> None:
            # A look that fails in a way that nobody thought of must not take the others along.
            with suppress(Exception):
                self._results[name] = function(*arguments)

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads[name] = thread
        thread.start()

    def result(self, name: str, otherwise: T) -> T:
        """Return what *name* found; *otherwise* where it failed or took too long."""
        thread = self._threads[name]
        while thread.is_alive() and time.monotonic() < self._deadline:
            thread.join(min(0.2, max(0.0, self._deadline - time.monotonic())))
            self._tell()
        found: T = self._results.get(name, otherwise)
        return found

    def found(self, name: str) -> Attempt:
        """Return what an attempt gave; nothing where none was made."""
        return self.result(name, Attempt()) if name in self._threads else Attempt()

    def end(self) -> None:
        """Take back what a person was told."""
        if self._told:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _tell(self) -> None:
        waiting = [name for name, thread in self._threads.items() if thread.is_alive()]
        slow = time.monotonic() - self._began > PATIENCE
        if waiting and slow and sys.stderr.isatty():
            self._told = True
            sys.stderr.write(f"\r\x1b[Kwaiting for {', '.join(waiting)[:60]}")
            sys.stderr.flush()


def look(where: Where) -> Facts:
    """Return everything that can be found out now."""
    seconds = where.timeout
    first = Looks(seconds + _MARGIN)
    silent = (None, "no answer", False)
    first.start("agent", _ask, where.agent, NodeStatus, seconds)
    first.start("speaker", _ask, where.speaker, SpeakerStatus, seconds)
    first.start("kernel", doctorkernel.host, seconds)
    first.start("state", _state, where.state)
    first.start("saved state", _kept, where.state)
    node, agent_error, agent_forbidden = first.result("agent", silent)
    status, speaker_error, speaker_forbidden = first.result("speaker", silent)
    host = first.result("kernel", HostFacts(problem="the kernel does not answer"))
    kept, kept_problem = first.result("saved state", (None, "it takes too long to read"))
    view = _view(node, agent_error, status, speaker_error)
    facts = Facts(
        view=view,
        now=time.time(),
        user=os.geteuid(),
        agent_forbidden=agent_forbidden,
        speaker_forbidden=speaker_forbidden,
        kept_problem=kept_problem,
        host=host,
        peers=tuple(_peers(view, kept)),
        members=tuple(_members(view, kept)),
        kube_proxy_url=_kube_proxy_url(kept),
        state=first.result("state", StateFacts(path=str(where.state), problem="it hangs")),
    )
    first.end()
    return _reached(facts, where)


def _reached(facts: Facts, where: Where) -> Facts:
    """Return *facts* with what is found out by trying."""
    seconds = where.timeout
    ports = {peer.port for peer in facts.peers}
    known = facts.host.addresses
    own = {one.address for one in known or ()}
    found = doctorkernel.ways(
        [(one.address, one.source if one.source in own else None) for one in facts.peers],
        seconds,
    )
    connections = {port: _or_nothing(doctorkernel.connections, port, seconds) for port in ports}
    peers = [
        replace(
            one,
            way=way if isinstance(way := found.get(one.address), Way) else None,
            way_problem=way if isinstance(way, str) else "",
            connection=connections[one.port].get(one.address),
        )
        for one in facts.peers
    ]
    second = Looks(seconds + _MARGIN)
    for peer in peers:
        _try_peer(second, peer, seconds)
    for member in _to_try(facts.members):
        second.start(f"ping {member.name}", doctorreach.ping, member.address, None, seconds)
        second.start(f"mesh {member.name}", doctorreach.knock, member.address, member.port, seconds)
    if facts.kube_proxy_url:
        second.start("kube-proxy", doctorreach.well, facts.kube_proxy_url, seconds)
    sysctls = doctorkernel.interface_sysctls(uplinks(peers))
    second.start("processes", _processes, facts.view, where)
    asked, unasked = doctormetadata.documents(where.state, node_of(facts.view))
    for document, node in asked:
        second.start(f"provider of {document.name}", doctormetadata.ask, document, node, seconds)
    done = replace(
        facts,
        host=replace(facts.host, sysctls={**facts.host.sysctls, **sysctls}),
        peers=tuple(_tried_peer(second, peer) for peer in peers),
        members=tuple(_tried_member(second, one) for one in facts.members),
        kube_proxy=second.found("kube-proxy"),
        processes=second.result("processes", ()),
        metadata=tuple(_of_provider(second, document) for document, _ in asked),
        metadata_problem=unasked,
    )
    second.end()
    return done


def _of_provider(looks: Looks, document: BGPPeer) -> MetadataFacts:
    nothing = MetadataFacts(
        document=document.name,
        provider=document.provider.kind if document.provider else "",
        where="",
        problem="no answer in time; does this host find the name that is asked?",
    )
    return looks.result(f"provider of {document.name}", nothing)


def node_of(view: View) -> str:
    """Return the name of this node, as far as anybody says it."""
    return view.node or os.environ.get("BGPD_NODE", "") or socket.gethostname()


def _try_peer(looks: Looks, peer: PeerFacts, seconds: float) -> None:
    """Begin what can be tried with a router without harm to a session."""
    if peer.way is None or peer.way.ours:
        return
    looks.start(f"ping {peer.name}", doctorreach.ping, peer.address, peer.source, seconds)
    size = peer.way.link_mtu
    if size is not None and size <= _LARGEST:
        looks.start(
            f"large ping {peer.name}", doctorreach.ping, peer.address, peer.source, seconds, size
        )
    if not talks(peer):
        where = (peer.address, peer.port, peer.source)
        looks.start(f"connect {peer.name}", doctorreach.connect, *where, seconds)


_LARGEST: Final = 9216
"""Bytes; loopbacks have packets of 64 KiB, which no router is asked to answer."""


def _tried_peer(looks: Looks, peer: PeerFacts) -> PeerFacts:
    return replace(
        peer,
        ping=looks.found(f"ping {peer.name}"),
        large_ping=looks.found(f"large ping {peer.name}"),
        connect=looks.found(f"connect {peer.name}"),
    )


def _to_try(members: Iterable[MemberFacts]) -> Iterator[MemberFacts]:
    """Yield the members that are not heard, a few of them."""
    count = 0
    for one in members:
        state = one.status.state if one.status is not None else MemberState.UNHEARD
        if state is not MemberState.ALIVE and count < _MOST_MEMBERS:
            count += 1
            yield one


def _tried_member(looks: Looks, one: MemberFacts) -> MemberFacts:
    return replace(one, ping=looks.found(f"ping {one.name}"), knock=looks.found(f"mesh {one.name}"))


def _ask(path: Path, kind: type[T], seconds: float) -> tuple[T | None, str, bool]:
    """Return what is said at a socket, or why nothing is, and whether we may not ask."""
    try:
        return observe.answer(path, kind, timeout=seconds), "", False
    except ConfigError as error:
        return None, str(error), True
    except (BgpdError, OSError) as error:
        return None, str(error), False


def _view(
    node: NodeStatus | None, agent_error: str, status: SpeakerStatus | None, speaker_error: str
) -> View:
    copy = node.speaker if node is not None and status is None else None
    known = status or copy
    return View(
        agent=node,
        agent_error=agent_error,
        speaker=arranged(known) if known is not None else None,
        speaker_error=speaker_error,
        secondhand=copy is not None,
    )


def _kept(directory: Path) -> tuple[Desired | None, str]:
    """Return the desired state on the disk, or why it is not known."""
    # Imported late: the speaker's rooms are needed for nothing else here.
    from bgpd.speaker.state import State  # noqa: PLC0415

    try:
        (directory / "desired.json").read_bytes()
    except FileNotFoundError:
        return None, f"there is no desired.json in {directory}"
    except OSError as error:
        return None, f"{directory}/desired.json: {(error.strerror or str(error)).lower()}"
    state = State(directory)
    desired = state.load_desired()
    return desired, "; ".join(state.problems)


def _peers(view: View, kept: Desired | None) -> Iterator[PeerFacts]:
    """Yield what is configured of each router: the speaker knows best, then the disk."""
    configured = {one.name: one for one in kept.peers} if kept is not None else {}
    if view.speaker is None:
        for name in sorted(configured):
            yield _from_disk(configured[name])
        return
    for session in view.speaker.sessions:
        peer = configured.get(session.peer)
        if session.local_address is None and peer is not None:
            yield replace(_from_disk(peer), session=session)
        else:
            yield _from_session(session)


def _from_disk(peer: Peer) -> PeerFacts:
    return PeerFacts(
        name=peer.name,
        address=peer.address,
        port=peer.port,
        source=peer.local_address,
        signed=peer.password is not None,
        gateway=peer.gateway,
        wanted_hold_time=peer.hold_time,
        wanted_families=peer.families,
    )


def _from_session(session: SessionStatus) -> PeerFacts:
    return PeerFacts(
        name=session.peer,
        address=session.address,
        port=session.port,
        source=session.local_address,
        signed=session.signed,
        gateway=session.gateway,
        wanted_hold_time=session.wanted_hold_time,
        wanted_families=session.wanted_families,
        session=session,
    )


def _members(view: View, kept: Desired | None) -> Iterator[MemberFacts]:
    listed: Mapping[str, Member] = {one.name: one for one in kept.members} if kept else {}
    mesh = view.speaker.mesh if view.speaker is not None else None
    if mesh is None:
        own = kept.node if kept is not None else ""
        for name in sorted(listed):
            if name != own:
                member = listed[name]
                yield MemberFacts(name=name, address=member.address, port=member.port)
        return
    for status in mesh.members:
        if status.name != mesh.node:
            port = listed[status.name].port if status.name in listed else MESH_PORT
            yield MemberFacts(name=status.name, address=status.address, port=port, status=status)


def _kube_proxy_url(kept: Desired | None) -> str:
    policy = kept.policy.health if kept is not None else LocalHealthPolicy()
    return policy.kube_proxy


def _state(directory: Path) -> StateFacts:
    try:
        found = os.statvfs(directory)
    except OSError as error:
        return StateFacts(path=str(directory), problem=(error.strerror or str(error)).lower())
    return StateFacts(
        path=str(directory),
        read_only=bool(found.f_flag & os.ST_RDONLY),
        free_bytes=found.f_bavail * found.f_frsize,
        # A filesystem without a table of files says 0 of 0.
        free_files=found.f_favail if found.f_files else None,
    )


def _processes(view: View, where: Where) -> tuple[ProcessFacts, ...]:
    pids = {"agent": _listener(where.agent, where.timeout)}
    pids["reflex"] = _listener(where.speaker, where.timeout)
    pids["ExaBGP"] = view.speaker.exabgp_pid if view.speaker is not None else None
    return tuple(_process(what, pid) for what, pid in pids.items() if pid)


def _listener(path: Path, seconds: float) -> int | None:
    """Return the pid of who listens on *path*; None where that is not told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect(str(path))
            told = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return None
    pid: int = _CREDENTIALS.unpack(told)[0]
    return pid or None


def _process(what: str, pid: int) -> ProcessFacts:
    directory = Path("/proc") / str(pid)
    limit = open_files = None
    with suppress(OSError, ValueError):
        lines = (directory / "limits").read_text().splitlines()
        line = next((one for one in lines if one.startswith("Max open files")), "")
        words = line.split()
        limit = int(words[3]) if len(words) > 3 else None
    with suppress(OSError):
        open_files = len(os.listdir(directory / "fd"))  # noqa: PTH208 - names are not wanted
    return ProcessFacts(what=what, pid=pid, open_files=open_files, limit=limit)


def _or_nothing(
    function: Callable[[int, float], Mapping[Address, Any]], port: int, seconds: float
) -> Mapping[Address, Any]:
    try:
        return function(port, seconds)
    except (OSError, BgpdError):
        return {}
