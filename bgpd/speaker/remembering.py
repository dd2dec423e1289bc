"""What of the reflex goes to the disk, when it asks for that."""

import asyncio
from typing import Final, assert_never

import msgspec

from bgpd.speaker import effect
from bgpd.speaker.door import Door
from bgpd.speaker.reflex import Reflex
from bgpd.speaker.state import State

CONFIGURATION_NAME: Final = "exabgp.conf"


class Remembering:
    """Knows which part of the reflex, or of what its agent said, each file holds."""

    def __init__(self, state: State, reflex: Reflex, door: Door, *, exabgp: int) -> None:
        """Write to *state*; *exabgp* is the process whose sessions BFD watches."""
        self._state = state
        self._reflex = reflex
        self._door = door
        self._exabgp = exabgp
        self._loop = asyncio.get_running_loop()

    def write_configuration(self, text: str) -> None:
        """Write what ExaBGP shall read, and tell the reflex when it could."""

        def done(error: str) -> None:
            now = self._loop.time()
            if error:
                self._reflex.configuration_not_written(error, now)
            else:
                self._reflex.configuration_written(text, now)

        self._state.write_configuration(CONFIGURATION_NAME, text, done)

    def save(self, item: effect.Save) -> None:
        """Hand over what *item* names, as it is now."""
        match item:
            case effect.SaveDesired():
                self._save_desired()
            case effect.SaveMesh():
                self._save_mesh()
            case effect.SaveDrain(request):
                self._state.save_drain(request)
            case effect.SaveBFD():
                self._state.save_bfd(self._reflex.bfd.memories, self._exabgp)
            case effect.SaveProbed():
                self._state.save_probed(self._reflex.probed)
            case effect.SaveTimeline():
                self._state.save_timeline(self._reflex.timeline.saved())
            case _:
                assert_never(item)

    def _save_desired(self) -> None:
        saved, current = self._door.last, self._reflex.desired
        if saved is not None and current is not None:
            routes = (
                r for by_prefix in current.advertisements.values() for r in by_prefix.values()
            )
            self._door.last = msgspec.structs.replace(
                saved,
                sequence=current.sequence,
                advertisements=tuple(routes),
                standing=self._reflex.situation.standing,
            )
            self._state.save_desired(self._door.last)

    def _save_mesh(self) -> None:
        if self._reflex.mesh is not None:
            self._state.save_mesh(self._reflex.mesh.persistent())
