"""If this node dies or is rebooted now: what happens, how fast, and what nobody else carries."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bgpd.ctl.columns import counted, wrapped
from bgpd.ctl.view import View, armed
from bgpd.model.peer import BFDState, Lever, PeerState
from bgpd.model.prefix import Prefix
from bgpd.model.status import (
    DrainPhase,
    MemberState,
    MeshStatus,
    SessionStatus,
    SpeakerStatus,
)

_BFD_MARGIN: Final = 100
"""Milliseconds that survivors give a router beyond its own detection time (`takeover: Auto`)."""
_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that would happen."""

    well: bool | None
    """None: it is no good and no bad news, or nobody knows."""
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What becomes of a node's elastic IPs."""

    node: str
    dies: tuple[Line, ...]
    """If it loses power now."""
    reboots: tuple[Line, ...]
    """If it is rebooted now."""
    alone: Mapping[Prefix, tuple[str, ...]]
    """What no other node carries, and for which Services."""
    sure: bool = True
    """Whether it is known what the node carries, and who else does."""

    @property
    def safe(self) -> bool:
        """Whether a reboot now would cost nobody anything; unknown is not safe."""
        return self.sure and all(one.well is not False for one in self.reboots)


def outlook(view: View, alone: Iterable[Prefix] | str) -> Outlook:
    """Return what is to be expected of the node of *view*.

    *alone* are the prefixes that no other live, undrained node carries, or why nobody knows them.
    """
    speaker = view.speaker
    if speaker is None:
        line = Line(well=None, sentence=f"the speaker does not answer ({view.speaker_error})")
        return Outlook(node=view.node, dies=(line,), reboots=(line,), alone={}, sure=False)
    lonely = {} if isinstance(alone, str) else _named(view, alone)
    unknown = alone if isinstance(alone, str) else ""
    carried = [one for one in speaker.routes if one.peers]
    return Outlook(
        node=view.node,
        dies=(
            *_mesh(speaker.mesh, speaker),
            *_routers(speaker),
            *_lost(len(carried), lonely, unknown),
        ),
        reboots=(*_reboot(speaker, len(carried), lonely, unknown), *_afterwards(speaker)),
        alone=lonely,
        sure=not unknown,
    )


def outlook_text(found: Outlook) -> str:
    """Return *found* in 80 columns, the answer first."""
    name = found.node or "this node"
    answer = f"{name} {'can' if found.safe else 'should not'} be rebooted now"
    if not found.sure and all(one.well is not False for one in found.reboots):
        answer = f"whether {name} can be rebooted now is not known"
    parts = [f"{wrapped(answer, indent='  ')}\n"]
    for title, lines in (
        ("IF IT DIES NOW", found.dies),
        ("IF IT IS REBOOTED NOW", found.reboots),
    ):
        parts.append(f"\n{title}\n")
        parts += [
            f"{wrapped(f'{_MARKS[one.well]} {one.sentence}', indent='  ')}\n" for one in lines
        ]
    return "".join(parts)


def outlook_document(found: Outlook) -> dict[str, object]:
    """Return *found* for programs."""
    return {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "NodeOutlook",
        "node": found.node,
        "safeToReboot": found.safe,
        "sure": found.sure,
        "alone": [
            {"prefix": prefix, "services": list(names)} for prefix, names in found.alone.items()
        ],
        "dies": [{"well": one.well, "sentence": one.sentence} for one in found.dies],
        "reboots": [{"well": one.well, "sentence": one.sentence} for one in found.reboots],
    }


_MARKS: Final = {True: "✓", False: "✗", None: "·"}


def _named(view: View, alone: Iterable[Prefix]) -> dict[Prefix, tuple[str, ...]]:
    known = view.agent.services if view.agent is not None else {}
    routes = {one.prefix: one.services for one in view.speaker.routes} if view.speaker else {}
    return {prefix: tuple(routes.get(prefix) or known.get(prefix, ())) for prefix in sorted(alone)}


def _mesh(mesh: MeshStatus | None, speaker: SpeakerStatus) -> Iterator[Line]:
    if mesh is None:
        yield Line(well=False, sentence="the mesh is off: nobody would take over")
        return
    if not mesh.armed:
        longest = max((one.hold_time or 0 for one in _up(speaker)), default=0)
        until = f"routers keep its paths for up to {longest} s (hold time)" if longest else ""
        sentence = f"the takeover is not armed: {armed(mesh).removeprefix('no: ')}"
        yield Line(well=False, sentence="; ".join(filter(None, (sentence, until))))
        return
    others = [one for one in mesh.members if one.state is MemberState.ALIVE]
    misses = max((one.misses_allowed for one in others), default=3)
    after = ""
    if mesh.interval_milliseconds is not None:
        each = mesh.interval_milliseconds
        after = f" after {misses * each:.0f} ms ({misses} heartbeats of {each:g} ms)"
    yield Line(
        well=True,
        sentence=f"the takeover is armed {armed(mesh).removeprefix('yes ')}: the others miss it"
        f"{after} and raise the generation, so its paths lose on every router",
    )


def _routers(speaker: SpeakerStatus) -> Iterator[Line]:
    for one in _up(speaker):
        hold = f"{one.hold_time} s" if one.hold_time else "never: its hold time is 0"
        if one.lever is Lever.NONE:
            yield Line(
                well=False,
                sentence=f"{one.peer} compares nothing that a raise could change (lever none); it"
                f" notices by itself after {_itself(one, hold)}",
            )
            continue
        if one.lever_probed.get(one.lever.value) is False:
            yield Line(
                well=False,
                sentence=f"{one.peer} did not follow {one.lever.value} when it was probed; it "
                f"notices by itself after {_itself(one, hold)}",
            )
            continue
        waits = _waits(one)
        yield Line(
            well=True,
            sentence=f"{one.peer} would notice by itself after {_itself(one, hold)}{waits}",
        )
    for condition in speaker.mesh.conditions if speaker.mesh is not None else ():
        if condition.status and condition.type == "TakeoverNotComparable":
            yield Line(well=False, sentence=condition.message)


def _itself(session: SessionStatus, hold: str) -> str:
    bfd = session.bfd
    if bfd is None or bfd.state is not BFDState.UP or bfd.remote_detection_milliseconds is None:
        return hold
    return f"{bfd.remote_detection_milliseconds:.0f} ms (BFD)"


def _waits(session: SessionStatus) -> str:
    """Return for how long the others wait for a router that has BFD, where they do."""
    bfd = session.bfd
    if bfd is None or bfd.state is not BFDState.UP or bfd.remote_detection_milliseconds is None:
        return ""
    least = bfd.remote_detection_milliseconds + _BFD_MARGIN
    return f"; with takeover Auto the others raise after {least:.0f} ms, if it is still there"


def _lost(carried: int, alone: Mapping[Prefix, tuple[str, ...]], unknown: str) -> Iterator[Line]:
    if unknown:
        yield Line(well=None, sentence=f"what no other node carries is not known: {unknown}")
        return
    rest = carried - len(alone)
    if rest > 0:
        what = counted(rest, "elastic IP")
        yield Line(well=True, sentence=f"traffic of {what} moves to the nodes that carry it, too")
    if alone:
        yield Line(well=False, sentence=f"no other node carries {_listed(alone)}")
    if not carried:
        yield Line(well=True, sentence="it carries no traffic")


def _reboot(
    speaker: SpeakerStatus, carried: int, alone: Mapping[Prefix, tuple[str, ...]], unknown: str
) -> Iterator[Line]:
    phase = speaker.drain.phase
    if phase is DrainPhase.DRAINED:
        yield Line(well=True, sentence="it is drained: its routes are withdrawn already")
    elif phase is not DrainPhase.NOT_DRAINING:
        yield Line(
            well=None,
            sentence=f"its drain is under way ({phase.value}); `bgpctl drain` waits for it",
        )
    elif carried:
        yield Line(
            well=True,
            sentence="when its speaker is stopped it demotes its routes, lets routers move the "
            "traffic, withdraws and says goodbye; `bgpctl drain` does that before",
        )
    if unknown:
        yield Line(well=None, sentence=f"what no other node carries is not known: {unknown}")
    elif alone:
        yield Line(well=False, sentence=f"down while it is away: {_listed(alone)}")
    elif carried:
        yield Line(well=True, sentence="every elastic IP that it advertises has another carrier")


def _afterwards(speaker: SpeakerStatus) -> Iterator[Line]:
    """Yield what the others could still do while it is away."""
    mesh = speaker.mesh
    if mesh is None:
        return
    for one in mesh.members:
        if one.name != mesh.node and one.state is not MemberState.ALIVE:
            yield Line(well=False, sentence=f"member {one.name} is {one.state.value} already")
        elif one.draining:
            yield Line(well=False, sentence=f"member {one.name} is being drained, too")
    left = mesh.reachable - 1
    if left >= 2:
        yield Line(well=True, sentence=f"{left} members stay, who take over for each other")
    elif left == 1:
        yield Line(well=None, sentence="one member stays: nobody would take over for it meanwhile")


def _listed(alone: Mapping[Prefix, tuple[str, ...]]) -> str:
    found = [
        f"{prefix} ({', '.join(names)})" if names else prefix for prefix, names in alone.items()
    ]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more


def _up(speaker: SpeakerStatus) -> list[SessionStatus]:
    return [one for one in speaker.sessions if one.state is PeerState.ESTABLISHED]
