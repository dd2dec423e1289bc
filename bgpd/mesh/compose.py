"""What our next heartbeat says, put together from all that we know.

In a mesh that is well it says what the last one said, but for its numbers: a `Draft` keeps the
bytes, and writes new numbers over the old ones (`bgpd.mesh.repeat` reads them likewise).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from struct import Struct
from typing import Final

from bgpd.mesh.packet import (
    CLOCK,
    CLOCK_FIELD,
    ECHO,
    ECHOES,
    FLAGS_OFFSET,
    HEADER,
    MAX_AGE,
    MAX_ECHOES,
    DeathRecord,
    Echo,
    Flag,
    Heartbeat,
    Sight,
    fields_in,
    packed,
)
from bgpd.mesh.report import Ourselves
from bgpd.mesh.takeover import Quarantine
from bgpd.mesh.track import Role, Track
from bgpd.model.status import MemberState

UNHEARD_AFTER: Final = 0.5
"""Seconds after our start from which a member that we never heard is silent for us."""
CHALLENGE_LASTS: Final = 2.0

_NUMBERS: Final = Struct("!QQII")
"""From here on in the header: the sequence, the generation, the resets, the beat."""
_NUMBERS_AT: Final = 18
_ECHO_NUMBERS: Final = Struct("!IQH")
"""From here on in an echo: the sequence, the generation, the age."""
_ECHO_NUMBERS_AT: Final = 16
_words: Final[Callable[[Echo], tuple[int, int, int, int]]] = itemgetter(0, 1, 3, 5)
"""What an echo says beside its sequence and its age."""


class Draft:
    """A heartbeat that was composed, to be sent again for as long as nothing is new."""

    __slots__ = ("_body", "_clock_at", "_echoes_at", "_flags", "_head", "_words")

    def __init__(self, head: object, beat: Heartbeat, body: bytes, at: Mapping[int, int]) -> None:
        """Keep *body*, which says *head* and encodes *beat*; its fields begin *at* these places."""
        self._head = head
        self._flags = beat.flags & 0xFF
        self._words = list(map(_words, beat.echoes))
        self._body = bytearray(body)
        self._echoes_at = at[ECHOES] + 1
        self._clock_at = at.get(CLOCK_FIELD)

    def says(self, head: object, echoes: Iterable[Echo]) -> bool:
        """Return whether it says *head* and *echoes*, but for the numbers."""
        return head == self._head and list(map(_words, echoes)) == self._words

    def again(
        self, beat: tuple[int, int, int, int], echoes: Iterable[Echo], *, clock: int, routine: bool
    ) -> bytes:
        """Return it with the numbers of *beat* (as in the header), of *echoes*, and our *clock*."""
        body = self._body
        body[FLAGS_OFFSET] = self._flags | (Flag.ROUTINE if routine else 0)
        _NUMBERS.pack_into(body, _NUMBERS_AT, *beat)
        if self._clock_at is not None:
            CLOCK.pack_into(body, self._clock_at, clock)
        at = self._echoes_at + _ECHO_NUMBERS_AT
        for _, _, sequence, generation, age, _ in echoes:
            _ECHO_NUMBERS.pack_into(body, at, sequence, generation, age)
            at += ECHO.size
        return bytes(body)


def draft(head: object, beat: Heartbeat, body: bytes) -> Draft | None:
    """Return *body*, the encoded *beat*, to be used again; None where not all of it had room."""
    fields = list(fields_in(body, HEADER.size + len(beat.sender.encode())))
    for kind, start, end in fields:
        if kind == ECHOES and end - start == 1 + len(beat.echoes) * ECHO.size:
            return Draft(head, beat, body, {kind: start for kind, start, _ in fields})
    return None


def compose(
    ours: Ourselves, echoes: tuple[Echo, ...], records: tuple[DeathRecord, ...]
) -> Heartbeat:
    """Return the heartbeat with *echoes* and *records*."""
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
        echoes=echoes,
        records=records,
        router_ids=packed(ours.router_ids),
        lever=settings.lever,
        base=settings.base,
        stride=settings.stride,
        key_ids=ours.key_ids,
        grace=ours.grace,
        clock=ours.clock,
    )


def echoes_of(
    tracks: Iterable[Track],
    *,
    records: Sequence[DeathRecord],
    quarantine: Quarantine,
    interval: float,
    started: float,
    now: float,
) -> tuple[Echo, ...]:
    """Return what we say of *tracks* at *now*, having started at *started*."""
    accused: Mapping[int, DeathRecord] = {record.member: record for record in records}
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
        if not track.incarnation:
            echoes.append(_blind(track, started, now))
            continue
        echo = _echo(track, interval, now, dead=dead, held=track.id in quarantine)
        echoes.append(echo)
    if len(echoes) > MAX_ECHOES:
        echoes.sort(key=lambda echo: (not echo.sight & (Sight.SUSPECT | Sight.CHALLENGE), echo.age))
    return tuple(echoes[:MAX_ECHOES])


def _blind(track: Track, started: float, now: float) -> Echo:
    unheard = now - max(started, track.floor) > UNHEARD_AFTER
    blind = Sight.SILENT | Sight.SUSPECT if unheard and track.charge else Sight.SILENT
    blind |= _watch_bits(track, now)
    return Echo(track.id, 0, 0, 0, MAX_AGE, blind)


def _echo(track: Track, interval: float, now: float, *, dead: bool, held: bool) -> Echo:
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
    if held:
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
