"""How each kind of probe is put: which exchange, over which kind of connection."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeAlias, assert_never

from bgpd.health.conversation import Conversation, Destination, Done
from bgpd.health.exchange import Recipe
from bgpd.health.httpget import HTTPRecipe
from bgpd.health.job import Job
from bgpd.health.outcome import Outcome
from bgpd.health.poller import Poller
from bgpd.health.stream import Stream
from bgpd.health.tcpsocket import TCPRecipe
from bgpd.health.trust import Trust
from bgpd.model.health import DNS, GRPC, NTP, TLS, Exec, HTTPGet, TCPSocket

Opener: TypeAlias = Callable[[Done, int], Conversation | Outcome]
"""Opens a conversation that calls the `Done`; with a random number of 64 bits."""


class Kinds:
    """What conversations need: the poller, TLS contexts, a place for programs."""

    def __init__(self, loop: asyncio.AbstractEventLoop, poller: Poller) -> None:
        """Open conversations in *loop*, on *poller*."""
        self._poller = poller
        self._trust = Trust(loop)

    def opener(self, job: Job) -> Opener:
        """Return what opens a conversation for *job*; raise `ValueError` where nothing can."""
        match job.probe:
            case HTTPGet() as probe:
                return self._stream(job, HTTPRecipe(job, probe), probe.tls)
            case TCPSocket() as probe:
                return self._stream(job, TCPRecipe(probe), probe.tls)
            case DNS() | NTP() | GRPC() | Exec():
                raise ValueError("this kind of probe is not there yet")
            case _:
                assert_never(job.probe)

    async def ended(self) -> None:
        """Wait until nothing is left of what was started."""

    def _stream(self, job: Job, recipe: Recipe, tls: TLS | None) -> Opener:
        destination = Destination.of(job)
        if tls is None:
            return partial(self._plain, destination, recipe)
        return partial(self._secure, destination, recipe, tls, job.address)

    def _plain(self, where: Destination, recipe: Recipe, done: Done, token: int) -> Conversation:
        return Stream(self._poller, where, recipe.exchange(token), done)

    def _secure(
        self, where: Destination, recipe: Recipe, tls: TLS, address: str, done: Done, token: int
    ) -> Conversation | Outcome:
        secure = self._trust.secure(tls, address)
        if isinstance(secure, Outcome):
            return secure
        return Stream(self._poller, where, recipe.exchange(token), done, secure)
