"""A controller that stops itself at the worst moment: `python -m tests.bench.pausing`.

Between the moment at which it finds that it may write and the write itself it sends itself a
SIGSTOP, once. With --for-ever it takes away what should end it then: so a test can show that
without that the address would have been given twice.
"""

import argparse
import asyncio
import os
import signal
import sys

from bgpd.controller.books import Books
from bgpd.controller.converge import Decision
from bgpd.controller.election import End, Leadership
from bgpd.controller.service import Options, Service
from bgpd.controller.writers import Writers
from bgpd.kube.access import Access
from bgpd.kube.call import Call, Caller


class NoEnd:
    """Lets a process live for ever (`bgpd.controller.election.End`)."""

    def move(self, at: float) -> None:
        """Do nothing."""

    def off(self) -> None:
        """Do nothing."""


class Pausing(Writers):
    """Stops the process in front of the first write that gives an address."""

    stopped = False

    async def _write(self, caller: Caller, decision: Decision) -> None:
        if decision.granted and not Pausing.stopped:
            Pausing.stopped = True
            # Over a connection that is open the write is one step, which nothing comes between.
            await caller.ask(Call(method="GET", target="/version"))
            os.kill(os.getpid(), signal.SIGSTOP)
        await super()._write(caller, decision)


class PausingService(Service):
    """A controller with these parts."""

    def __init__(self, options: Options, *, for_ever: bool) -> None:
        super().__init__(options)
        self._for_ever = for_ever

    def _end(self) -> End:
        return NoEnd() if self._for_ever else super()._end()

    def _desk(self, access: Access, books: Books, leadership: Leadership) -> Writers:
        return Pausing(
            access,
            books,
            agent="pausing",
            may_begin=leadership.may_begin,
            on_change=lambda: None,
        )


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True)
    parser.add_argument("--for-ever", action="store_true")
    parsed = parser.parse_args(sys.argv[1:])
    options = Options(source=parsed.source, identity=f"pausing-{os.getpid()}", program="pausing")

    async def serve() -> None:
        await PausingService(options, for_ever=parsed.for_ever).run()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
