"""What a person sees of the mesh: its status, and the conditions that need attention."""

import ipaddress
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bgpd.mesh.packet import Flag, packed
from bgpd.mesh.settings import MeshSettings
from bgpd.mesh.takeover import Register
from bgpd.mesh.track import PING_MEMORY, Role, Track
from bgpd.model.prefix import Address
from bgpd.model.status import Condition, MemberState, MemberStatus, MeshStatus
from bgpd.model.timeline import PairClock

SLOW_SECONDS: Final = 1.3
"""Two heartbeats to a member that is taken for dead (`sender.DEAD_PAUSE`) and some more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ourselves:
    """What one member knows of itself, for those who write it down."""

    settings: MeshSettings
    incarnation: int
    sequence: int
    beat: int
    register: Register
    flags: int
    grace: int
    router_ids: tuple[Address, ...]
    key_id: int
    key_ids: tuple[int, ...]
    started: float
    clock: int = 0
    """Our monotonic clock, microseconds."""


def status(
    ours: Ourselves,
    tracks: Iterable[Track],
    *,
    raises: int,
    counters: Mapping[str, int],
    current: Iterable[Condition],
    now: float,
) -> MeshStatus:
    """Return the mesh as this member sees it at *now*."""
    # Of a thousand members we know some thirty; of the others there is nothing to say.
    known = (track for track in tracks if track.role is not Role.STRANGER)
    everybody = sorted(known, key=lambda track: track.name)
    reachable, counted = census(everybody)
    return MeshStatus(
        node=ours.settings.node,
        generation=ours.register.generation,
        armed=ours.register.learned
        and not ours.flags & Flag.GOODBYE
        and armed(reachable, counted)
        and (counted == 2 or any(_supports_us(track) for track in everybody)),
        reachable=reachable,
        counted=counted,
        members=tuple(_member(track, now) for track in everybody),
        raises=raises,
        counters=dict(sorted(counters.items())),
        conditions=tuple(current),
        interval_milliseconds=round(ours.settings.interval * 1000, 3),
    )


def clocks(tracks: Iterable[Track], now: float) -> tuple[PairClock, ...]:
    """Return how the clocks of *tracks* stand to ours, by name, where that is known."""
    known = [(track.name, track.offset.estimate(now)) for track in tracks]
    return tuple(
        PairClock(
            member=name,
            milliseconds=round(found.offset * 1000, 3),
            # Rounded up: a bound that is too small by a hair is none.
            uncertainty_milliseconds=math.ceil(found.uncertainty * 1e6 + 1) / 1000,
        )
        for name, found in sorted(known)
        if found is not None
    )


def census(tracks: Iterable[Track]) -> tuple[int, int]:
    """Return how many members are alive, and how many count; ourselves included."""
    reachable = counted = 1
    for track in tracks:
        if track.role is not Role.PARTNER or track.away:
            continue
        beating = track.state is MemberState.QUARANTINED and track.steady
        if track.state is MemberState.ALIVE or beating:
            reachable += 1
            counted += 1
        elif track.state is MemberState.SUSPECT:
            counted += 1
    return reachable, counted


def armed(reachable: int, counted: int) -> bool:
    """Return whether the death of one more member would be answered by a raise."""
    if reachable < 2:
        return False
    if counted == 2:
        return True
    return 2 * (reachable - 1) >= counted and reachable > 2


def _supports_us(track: Track) -> bool:
    """Return whether a word of *track* would count: who does not hear us cannot agree with us."""
    return track.state is MemberState.ALIVE and track.hears_us


def _member(track: Track, now: float) -> MemberStatus:
    heard = track.incarnation != 0
    loss = 100 * track.loss.lost / track.loss.size if track.loss.size else 0.0
    return MemberStatus(
        name=track.name,
        address=track.member.address,
        state=track.state,
        last_heard_milliseconds=round((now - track.heard_at) * 1000, 1) if heard else None,
        loss_percent=round(loss, 1),
        misses_allowed=track.misses,
        generation=track.generation if heard else None,
        version=track.beat.version if track.beat else None,
        agent_alive=bool(track.flags & Flag.AGENT_ALIVE) if track.beat else True,
        draining=bool(track.flags & Flag.DRAINING),
        doubtful=bool(track.flags & Flag.DOUBTFUL),
        partial=bool(track.flags & Flag.PARTIAL),
        hears_us=track.hears_us and track.state is not MemberState.DEAD,
        round_trip_milliseconds=_round_trip(track, now),
        late_heartbeats=track.late,
        suspicions=track.suspicions,
        router_ids=_addresses(track.beat.router_ids) if track.beat else (),
    )


def _round_trip(track: Track, now: float) -> float | None:
    """Return how far away *track* is, in milliseconds: by an echo where its kernel answers them."""
    pinged = now - track.ponged_at < PING_MEMORY
    seconds = track.round_trip if pinged else track.offset.round_trip(now)
    return None if seconds is None else round(seconds * 1000, 3)


@lru_cache(maxsize=4096)
def _addresses(router_ids: tuple[bytes, ...]) -> tuple[Address, ...]:
    """Return *router_ids* for people; asked for at each look, they nearly never change."""
    return tuple(Address(str(ipaddress.ip_address(one))) for one in router_ids)


def conditions(
    ours: Ourselves, tracks: Iterable[Track], *, jumped: bool, now: float
) -> Iterable[Condition]:
    """Return every condition, true or false, so that an end is seen like a beginning."""
    everybody = sorted(tracks, key=lambda track: track.name)
    alive = [t for t in everybody if t.state in {MemberState.ALIVE, MemberState.QUARANTINED}]
    return (
        _differing(ours, alive),
        _unheard([t for t in everybody if _heard(t, ours.settings.interval, now)]),
        _incomparable(ours, alive),
        _jump(jumped=jumped),
    )


def settings_differ(ours: Ourselves, tracks: Iterable[Track]) -> bool:
    """Return whether a member that is alive names another lever, base or stride than we do."""
    alive = [t for t in tracks if t.state in {MemberState.ALIVE, MemberState.QUARANTINED}]
    return _differing(ours, alive).status


def _differing(ours: Ourselves, alive: Iterable[Track]) -> Condition:
    mine = (ours.settings.lever, ours.settings.base, ours.settings.stride)
    others = [
        f"{t.name} ({t.beat.lever}, base {t.beat.base}, stride {t.beat.stride})"
        for t in alive
        if t.beat and t.beat.lever and (t.beat.lever, t.beat.base, t.beat.stride) != mine
    ]
    message = (
        f"we use {mine[0]}, base {mine[1]}, stride {mine[2]}; not so {', '.join(others)}: "
        "routers will compare unlike values, so give all nodes the same settings"
        if others
        else "every member uses the same lever, base and stride"
    )
    return Condition(
        type="TakeoverSettingsDiffer",
        status=bool(others),
        reason="Mismatch" if others else "Same",
        message=message,
    )


def _heard(track: Track, interval: float, now: float) -> bool:
    """Return whether we hear *track* now, whether or not it hears."""
    if track.role is not Role.PARTNER or not track.incarnation:
        return False
    patience = track.allowed(interval)
    if not track.hears_us:
        # It takes us for dead, and beats to the dead at a slow pace: between two beats it is heard.
        patience = max(patience, SLOW_SECONDS)
    return track.silence(now) <= patience


def _unheard(heard: list[Track]) -> Condition:
    deaf = [t.name for t in heard if not t.hears_us]
    unheard = 2 * len(deaf) > len(heard)
    message = (
        f"we hear {', '.join(deaf)}, but they do not hear us: we keep our generation, so "
        "traffic moves away; look for a firewall or a one-way link on the mesh port"
        if unheard
        else "the members that we hear also hear us"
    )
    return Condition(
        type="NotHeard",
        status=unheard,
        reason="OneWay" if unheard else "Heard",
        message=message,
    )


def _incomparable(ours: Ourselves, alive: Iterable[Track]) -> Condition:
    mine = set(packed(ours.router_ids))
    others = [
        t.name
        for t in alive
        if mine and t.beat and t.beat.router_ids and mine.isdisjoint(t.beat.router_ids)
    ]
    message = (
        f"we share no router with {', '.join(others)}: a raise moves nothing between us; use "
        "lever asPath, or localPref over iBGP"
        if others
        else "we share a router with every member that says which routers it has"
    )
    return Condition(
        type="TakeoverNotComparable",
        status=bool(others),
        reason="NoSharedRouter" if others else "SharedRouter",
        message=message,
    )


def _jump(*, jumped: bool) -> Condition:
    message = (
        "heartbeats carry a generation more than 1000 ahead of ours and are not followed; "
        "`bgpctl generation reset` settles which one is right"
        if jumped
        else "every generation heard is within reach of ours"
    )
    return Condition(
        type="GenerationJump",
        status=jumped,
        reason="TooFarAhead" if jumped else "Plausible",
        message=message,
    )
