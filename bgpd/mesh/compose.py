"""What our next heartbeat says, put together from all that we know."""

from collections.abc import Iterable, Mapping
from typing import Final

from bgpd.mesh.packet import (
    MAX_AGE,
    MAX_ECHOES,
    DeathRecord,
    Echo,
    Heartbeat,
    Sight,
    packed,
)
from bgpd.mesh.report import Ourselves
from bgpd.mesh.track import Role, Track
from bgpd.model.status import MemberState

UNHEARD_AFTER: Final = 0.5
"""Seconds after our start from which a member that we never heard is silent for us."""
CHALLENGE_LASTS: Final = 2.0


def compose(
    ours: Ourselves, tracks: Iterable[Track], records: tuple[DeathRecord, ...], now: float
) -> Heartbeat:
    """Return the heartbeat that we send at *now*."""
    settings = ours.settings
    return Heartbeat(
        sender=settings.node,
        incarnation=ours.incarnation,
        sequence=ours.sequence,
        beat=ours.beat,
        generation=ours.register.generation,
        resets=ours.register.resets,
        interval=settings.policy.interval_milliseconds,
        flags=ours.flags,
        key_id=ours.key_id,
        echoes=_echoes(ours, tracks, {record.member: record for record in records}, now),
        records=records,
        router_ids=packed(ours.router_ids),
        lever=settings.lever,
        base=settings.base,
        stride=settings.stride,
        key_ids=ours.key_ids,
        grace=ours.grace,
    )


def _echoes(
    ours: Ourselves, tracks: Iterable[Track], accused: Mapping[int, DeathRecord], now: float
) -> tuple[Echo, ...]:
    echoes = []
    for track in tracks:
        if track.pending and now - track.pending_at < CHALLENGE_LASTS:
            age = int((now - track.pending_at) * 1000)
            echoes.append(
                Echo(
                    track.id,
                    track.pending,
                    track.pending_sequence & 0xFFFFFFFF,
                    0,
                    min(max(age, 0), MAX_AGE),
                    Sight.CHALLENGE,
                )
            )
        record = accused.get(track.id)
        dead = record is not None and record.incarnation == track.incarnation
        echoes.append(_echo(ours, track, now, dead=dead))
    if len(echoes) > MAX_ECHOES:
        echoes.sort(key=lambda echo: (not echo.sight & (Sight.SUSPECT | Sight.CHALLENGE), echo.age))
    return tuple(echoes[:MAX_ECHOES])


def _echo(ours: Ourselves, track: Track, now: float, *, dead: bool) -> Echo:
    interval = ours.settings.interval
    if not track.incarnation:
        unheard = now - max(ours.started, track.floor) > UNHEARD_AFTER
        blind = Sight.SILENT | Sight.SUSPECT if unheard and track.charge else Sight.SILENT
        blind |= _watch_bits(track, now)
        return Echo(track.id, 0, 0, 0, MAX_AGE, blind)
    silence = track.silence(now)
    sight: int = 0
    # A raise may reach us a moment before our own patience ends. Whoever it was for must not
    # read in our echo that we still hear it, or a node that is only mute adopts the generation.
    if silence > (track.base_allowed(interval) - interval / 2 if dead else track.allowed(interval)):
        sight |= Sight.SILENT
    state = track.state
    if state is MemberState.SUSPECT or state is MemberState.DEAD:
        sight |= Sight.SUSPECT
    elif state is MemberState.RESTARTING:
        sight |= Sight.RESTARTING
    sight |= _watch_bits(track, now)
    if track.id in ours.quarantine:
        sight |= Sight.QUARANTINED
    age = int(silence * 1000)
    return Echo(
        track.id,
        track.incarnation,
        track.sequence & 0xFFFFFFFF,
        track.generation,
        0 if age < 0 else min(age, MAX_AGE),
        sight,
    )


def _watch_bits(track: Track, now: float) -> int:
    if track.role is Role.PARTNER and not track.charge:
        bits = Sight.RECRUIT if track.recruit else 0
    else:
        bits = Sight.WATCHING if track.role is Role.PARTNER else 0
    return bits | (Sight.SUBSCRIBED if track.watching_until >= now else 0)
