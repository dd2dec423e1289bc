"""How the agent is, in one value: for `bgpctl status`, the cluster, the log and who scrapes.

Every room knows its own part and has its own conditions; here they are gathered, and told when
there is news. Nothing here is on an endpoint's way to the wire: news is told after it was acted on.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from bgpd.agent.conditions import ConditionLog, from_memory, last_accepted
from bgpd.agent.grounding import Grounding
from bgpd.agent.inventory import inventory_of
from bgpd.agent.metricspages import Pages
from bgpd.agent.options import Options
from bgpd.agent.public import providers_of, telling_of
from bgpd.agent.rooms import Rooms
from bgpd.model.reason import BY_HEALTH, Reason
from bgpd.model.status import Condition, HealthStatus, NodeStatus
from bgpd.telemetry import logs
from bgpd.telemetry.http import Http
from bgpd.telemetry.withheld import SETTLE_SECONDS, WithheldLog

_TELL_BEATS: Final = 5
"""How long a start is nobody's business, and how often the cluster is told without news."""
_TOLD_APART: Final = BY_HEALTH - {Reason.STARTING_UP}
"""What `HealthLog` tells Service by Service."""


class Account:
    """What people are told of one agent."""

    def __init__(self, rooms: Rooms, options: Options, log: logging.Logger) -> None:
        self._rooms = rooms
        self._options = options
        self._grounding = Grounding(rooms.planner, lambda: rooms.source.objects)
        self._beats = 0
        self.telling = telling_of(
            rooms.source,
            rooms.planner,
            program=options.program,
            status=self._public,
            on_conditions=self.tell_conditions,
        )
        """What tells the cluster; None where the source is no cluster."""
        self._pages = Pages(
            rooms,
            log,
            most=options.metrics_elastic_ips,
            conditions=lambda: self._conditions,
            writes=lambda: {} if self.telling is None else self.telling.writes,
        )
        self._http = Http(options.metrics, self._pages, log)
        self._log = ConditionLog(log, lambda: self._conditions)
        self._withheld_log = WithheldLog(without=_TOLD_APART, settle=SETTLE_SECONDS)
        self._lines = log

    def open(self) -> None:
        """Let scrapers and kubelet ask."""
        self._http.open()

    def status(self) -> NodeStatus:
        """Return what `bgpctl status` shows."""
        return self._status(self._rooms.watching.status(), self._conditions)

    def knows(self, question: str, arguments: Mapping[str, str]) -> object:
        """Return what the agent knows of configuration and decisions, as `Ask` names it."""
        match question:
            case "inventory":
                return inventory_of(self._rooms.source.objects, self._rooms.planner.context)
            case "grounds":
                return self._grounding.grounds(arguments)
            case "timeline":
                return self._rooms.link.failovers
            case _:
                return self._grounding.routes(arguments)

    def tell(self) -> None:
        """Tell the cluster that there may be news of us."""
        if self.telling is not None:
            self.telling.changed()

    def tell_conditions(self) -> None:
        """Tell the log soon which conditions began or ended."""
        self._log.soon(synced=self._rooms.source.synced)

    def beat(self) -> None:
        """Note that a second passed: some of what is told changes without an event."""
        self._beats += 1
        self._pages.beat()
        if self._beats % _TELL_BEATS == 0:
            self.tell()
        if self._rooms.deciding.complete:
            now = asyncio.get_running_loop().time()
            for line in self._withheld_log.look(self._rooms.planner.withheld, now):
                logs.write(self._lines, line.level, line.event, line.keys)

    def close(self) -> None:
        """Tell the log what it was not told yet, and nobody anything any more."""
        self._http.close()
        self._log.close()

    def _status(self, health: HealthStatus, conditions: tuple[Condition, ...]) -> NodeStatus:
        rooms, options = self._rooms, self._options
        return NodeStatus(
            node=options.node,
            version=options.program.partition("/")[2],
            source=options.source,
            synced=rooms.source.synced,
            speaker=rooms.link.speaker,
            withheld=rooms.planner.withheld,
            conditions=conditions,
            documents=len(rooms.source.objects),
            sources={str(key): file for key, file in sorted(rooms.source.files.items())},
            services=rooms.planner.services,
            health=health,
            host=rooms.hosting.status,
            providers=providers_of(rooms.planner),
            silence_seconds=rooms.source.silence(asyncio.get_running_loop().time()),
        )

    def _public(self) -> NodeStatus | None:
        """Return what the cluster is told: not that the cluster could not be told something."""
        if not self._rooms.deciding.started and self._beats < _TELL_BEATS:
            return None
        status = self._status(self._rooms.watching.status(every=False), self._own_conditions)
        return replace(status, failovers=self._rooms.link.failovers)

    @property
    def _conditions(self) -> tuple[Condition, ...]:
        telling = () if self.telling is None else self.telling.conditions
        return (*self._own_conditions, *telling)

    @property
    def _own_conditions(self) -> tuple[Condition, ...]:
        rooms = self._rooms
        return (
            *rooms.source.conditions,
            *rooms.planner.conditions,
            *rooms.watching.conditions(rooms.link.speaker),
            *rooms.replies.conditions(),
            *rooms.hosting.conditions(),
            *rooms.departing.conditions(),
            *rooms.providing.conditions(),
            *last_accepted(rooms.source.outdated),
            *from_memory(wanted=rooms.deciding.started and not rooms.source.synced),
            *rooms.disk.conditions(),
            *self._http.conditions(),
        )
