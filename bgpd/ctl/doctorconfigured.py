"""Which routers and members there are: by the speaker's word, else by what it saved."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from bgpd.ctl.doctorfacts import MemberFacts, PeerFacts
from bgpd.ctl.view import View
from bgpd.ipc.message import Desired
from bgpd.model.health import LocalHealthPolicy
from bgpd.model.member import Member
from bgpd.model.peer import Peer
from bgpd.model.port import MESH_PORT
from bgpd.model.status import SessionStatus


def kept(directory: Path) -> tuple[Desired | None, str]:
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


def peers(view: View, saved: Desired | None) -> Iterator[PeerFacts]:
    """Yield what is configured of each router: the speaker knows best, then the disk."""
    configured = {one.name: one for one in saved.peers} if saved is not None else {}
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


def members(view: View, saved: Desired | None) -> Iterator[MemberFacts]:
    """Yield the other members of the mesh."""
    listed: Mapping[str, Member] = {one.name: one for one in saved.members} if saved else {}
    mesh = view.speaker.mesh if view.speaker is not None else None
    if mesh is None:
        own = saved.node if saved is not None else ""
        for name in sorted(listed):
            if name != own:
                member = listed[name]
                yield MemberFacts(name=name, address=member.address, port=member.port)
        return
    for status in mesh.members:
        if status.name != mesh.node:
            port = listed[status.name].port if status.name in listed else MESH_PORT
            yield MemberFacts(name=status.name, address=status.address, port=port, status=status)


def kube_proxy_url(saved: Desired | None) -> str:
    """Return where kube-proxy is asked how it is; empty: nowhere."""
    policy = saved.policy.health if saved is not None else LocalHealthPolicy()
    return policy.kube_proxy
