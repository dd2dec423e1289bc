"""What an agent shows at its metrics port: its metrics, whether it works, whether it can work.

Nothing here is on an endpoint's way to the wire, and nothing waits: what a scrape reads is copied
at one moment, and written afterwards, in pieces.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from bgpd.agent.metrics import Reading, families
from bgpd.agent.outset import awaited
from bgpd.agent.rooms import Rooms
from bgpd.kube.course import Reason
from bgpd.kube.kinds import CONFIGURED
from bgpd.model.prefix import Prefix
from bgpd.model.status import Condition
from bgpd.telemetry import agentmetrics
from bgpd.telemetry.exposition import Family
from bgpd.telemetry.httprequest import Check
from bgpd.telemetry.metric import Process
from bgpd.telemetry.selfreport import self_report


class Pages:
    """What `bgpd.telemetry.http` asks an agent for."""

    def __init__(
        self,
        rooms: Rooms,
        log: logging.Logger,
        *,
        most: int,
        conditions: Callable[[], Iterable[Condition]],
        writes: Callable[[], Mapping[str, int]],
    ) -> None:
        """Tell of *most* elastic IPs one by one, and of *writes* to the cluster."""
        self._rooms = rooms
        self._log = log
        self._most = most
        self._conditions = conditions
        self._writes = writes
        self._reconciled = 0.0
        self._restored = dict.fromkeys(agentmetrics.HOST_RESTORED.values["what"], 0)

    def beat(self) -> None:
        """Note whether everything that was seen is decided on; else a scrape tells since when."""
        rooms = self._rooms
        if rooms.deciding.complete and not (rooms.planner.busy or rooms.planner.problem):
            self._reconciled = time.time()

    def families(self) -> Iterator[Family]:
        """Return the metrics as of now."""
        self.beat()
        yield from self_report(Process.AGENT, self._log, self._conditions())
        yield from families(self._read())

    def live(self) -> Iterable[Check]:
        """Return nothing: that the loop turns is all that a restart could mend."""
        return ()

    def ready(self) -> Iterator[Check]:
        """Yield what has to be so before this agent does what it is there for."""
        rooms = self._rooms
        problem = rooms.planner.problem
        started = "" if rooms.deciding.started else "nothing is decided yet"
        yield Check("configuration", problem or started)
        yield Check("source", "" if rooms.source.synced else "not everything was read once")
        speaker = rooms.link.speaker
        if speaker is None:
            yield Check("speaker", "the speaker cannot be reached")
            return
        yield Check("speaker")
        yield Check("routes", awaited(speaker, rooms.planner.advertisements, time.time()))

    def _read(self) -> Reading:
        rooms = self._rooms
        health = rooms.watching.status(every=False)
        passed, failed = rooms.watching.probes
        objects = rooms.source.objects
        return Reading(
            services=rooms.planner.services,
            withheld=rooms.planner.withheld,
            unwell=frozenset(rooms.planner.unwell),
            offered=self._offered(),
            most=self._most,
            checks=rooms.watching.checks(self._most),
            passed=passed,
            failed=failed,
            node=dict(health.node),
            in_doubt=bool(health.doubt),
            reconciles=rooms.deciding.took,
            reconciled=self._reconciled,
            synced=rooms.source.synced,
            documents=sum(objects.count(kind) for kind in CONFIGURED),
            refused=len(
                {(one.source, one.kind, one.name) for one in rooms.source.problems if one.refused}
            ),
            heard=self._heard(),
            errors=self._errors(),
            restored=self._put_back(),
            providers={
                name: one.fetched
                for name, one in rooms.providing.discovered.items()
                if one.fetched is not None
            },
            writes=self._writes(),
        )

    def _offered(self) -> frozenset[Prefix] | None:
        speaker = self._rooms.link.speaker
        if speaker is None:
            return None
        return frozenset(route.prefix for route in speaker.routes if route.peers)

    def _heard(self) -> float | None:
        silence = self._rooms.source.silence(asyncio.get_running_loop().time())
        return None if silence is None else time.time() - silence

    def _errors(self) -> dict[str, int]:
        known = Reason if self._rooms.source.access is not None else ()
        return {**{reason.value: 0 for reason in known}, **self._rooms.source.errors}

    def _put_back(self) -> dict[str, int]:
        """Return what was restored; a keeper that has nothing to do just now says nothing."""
        for what, times in self._rooms.hosting.status.restored.items():
            self._restored[what] = max(times, self._restored.get(what, 0))
        return self._restored
