"""How each kind of probe is put: which exchange, over which kind of connection."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeAlias, assert_never

from bgpd.health.conversation import Conversation, Destination, Done
from bgpd.health.datagram import Datagram
from bgpd.health.dnsquery import DNSRecipe
from bgpd.health.exchange import Recipe
from bgpd.health.grpccheck import GRPCRecipe
from bgpd.health.httpget import HTTPRecipe
from bgpd.health.job import Job
from bgpd.health.ntpquery import NTPRecipe
from bgpd.health.outcome import Outcome
from bgpd.health.poller import Poller
from bgpd.health.program import ExecRecipe, Program
from bgpd.health.programs import Programs
from bgpd.health.stream import Stream
from bgpd.health.tcpsocket import TCPRecipe
from bgpd.health.trust import Secure, Trust, check_name
from bgpd.model.health import DNS, GRPC, NTP, TLS, Exec, HTTPGet, TCPSocket

Opener: TypeAlias = Callable[[Done, int], Conversation | Outcome]
"""Opens a conversation that calls the `Done`; with a random number of 64 bits."""


class Kinds:
    """What conversations need: the poller, TLS contexts, a place for programs."""

    def __init__(self, loop: asyncio.AbstractEventLoop, poller: Poller) -> None:
        """Open conversations in *loop*, on *poller*."""
        self._loop = loop
        self._poller = poller
        self._programs = Programs(loop)
        self._trust = Trust(loop)

    def opener(self, job: Job) -> Opener:
        """Return what opens a conversation for *job*; raise `ValueError` where nothing can."""
        match job.probe:
            case HTTPGet() as probe:
                return self._stream(job, HTTPRecipe(job, probe), probe.tls)
            case TCPSocket() as probe:
                return self._stream(job, TCPRecipe(probe), probe.tls)
            case GRPC() as probe:
                return self._stream(job, GRPCRecipe(job, probe), probe.tls, http2=True)
            case DNS() as probe:
                recipe = DNSRecipe(probe)
                return self._stream(job, recipe, None) if probe.tcp else self._udp(job, recipe)
            case NTP() as probe:
                return self._udp(job, NTPRecipe(probe))
            case Exec() as probe:
                return partial(self._program, ExecRecipe(job, probe))
            case _:
                assert_never(job.probe)

    async def ended(self) -> None:
        """Wait until nothing is left of what was started."""
        await self._programs.ended()

    def _stream(self, job: Job, recipe: Recipe, tls: TLS | None, *, http2: bool = False) -> Opener:
        destination = Destination.of(job)
        if tls is None:
            return partial(self._plain, destination, recipe)
        check_name(tls)
        secure = partial(self._trust.secure, tls, job.address, http2=http2)
        return partial(self._secure, destination, recipe, secure)

    def _plain(self, where: Destination, recipe: Recipe, done: Done, token: int) -> Conversation:
        return Stream(self._poller, where, recipe.exchange(token), done)

    def _secure(
        self,
        where: Destination,
        recipe: Recipe,
        trust: Callable[[], Secure | Outcome],
        done: Done,
        token: int,
    ) -> Conversation | Outcome:
        secure = trust()
        if isinstance(secure, Outcome):
            return secure
        return Stream(self._poller, where, recipe.exchange(token), done, secure)

    def _udp(self, job: Job, recipe: Recipe) -> Opener:
        return partial(self._datagram, Destination.of(job), recipe)

    def _datagram(self, where: Destination, recipe: Recipe, done: Done, token: int) -> Conversation:
        return Datagram(self._poller, where, recipe.exchange(token), done)

    def _program(self, recipe: ExecRecipe, done: Done, token: int) -> Conversation:
        del token
        return Program(self._loop, self._poller, self._programs, recipe, done)
