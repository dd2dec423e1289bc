"""What is in force, written down for the next agent: as soon as it may be, and not half of it."""

from bgpd.agent.memory import Snapshot
from bgpd.agent.origin import versions
from bgpd.agent.passwords import Passwords
from bgpd.agent.rooms import Rooms


class Remembering:
    """Has the disk remember what was accepted, and how the node's health was."""

    def __init__(self, rooms: Rooms, passwords: Passwords) -> None:
        self._rooms = rooms
        self._passwords = passwords

    def keep(self) -> None:
        """Remember what is in force, when it is time; half a first look is not."""
        rooms = self._rooms
        if rooms.deciding.complete:
            rooms.disk.remember_health(rooms.watching.kept)
        if self._settled and rooms.disk.due():
            self._remember()

    async def close(self) -> None:
        """Remember what is new since the last time, and wait for the disk."""
        disk = self._rooms.disk
        if self._settled and disk.behind:
            self._remember()
        disk.remember_health(self._rooms.watching.kept)
        await disk.close()

    @property
    def _settled(self) -> bool:
        """Whether what the source says is what is in force."""
        rooms = self._rooms
        return rooms.deciding.started and rooms.source.synced and not rooms.planner.busy

    def _remember(self) -> None:
        rooms = self._rooms
        objects = rooms.planner.accepted(rooms.source.objects)
        if objects is None:
            rooms.disk.remember(None)
            return
        rooms.disk.remember(
            Snapshot(
                objects=objects,
                sources=rooms.source.sources,
                held=rooms.source.held,
                resource_versions=versions(objects, rooms.source.newest),
                passwords=dict(self._passwords.contents),
            )
        )
