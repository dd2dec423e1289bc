"""How the agent is, in one value: for `bgpctl status`, for the cluster and for the log.

Every room knows its own part and has its own conditions; here they are gathered, and told when
there is news. Nothing here is on an endpoint's way to the wire: news is told after it was acted on.
"""

import asyncio
import logging
from typing import Final

from bgpd.agent.conditions import ConditionLog, from_memory, last_accepted
from bgpd.agent.options import Options
from bgpd.agent.public import providers_of, telling_of
from bgpd.agent.rooms import Rooms
from bgpd.model.status import Condition, HealthStatus, NodeStatus

_TELL_BEATS: Final = 5
"""How long a start is nobody's business, and how often the cluster is told without news."""


class Account:
    """What people are told of one agent."""

    def __init__(self, rooms: Rooms, options: Options, log: logging.Logger) -> None:
        self._rooms = rooms
        self._options = options
        self._beats = 0
        self.telling = telling_of(
            rooms.source,
            rooms.planner,
            program=options.program,
            status=self._public,
            on_conditions=self.tell_conditions,
        )
        """What tells the cluster; None where the source is no cluster."""
        self._log = ConditionLog(log, lambda: self._conditions)

    def status(self) -> NodeStatus:
        """Return what `bgpctl status` shows."""
        return self._status(self._rooms.watching.status(), self._conditions)

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
        if self._beats % _TELL_BEATS == 0:
            self.tell()

    def close(self) -> None:
        """Tell the log what it was not told yet."""
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
        return self._status(self._rooms.watching.status(every=False), self._own_conditions)

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
            *rooms.providing.conditions(),
            *last_accepted(rooms.source.outdated),
            *from_memory(wanted=rooms.deciding.started and not rooms.source.synced),
            *rooms.disk.conditions(),
        )
