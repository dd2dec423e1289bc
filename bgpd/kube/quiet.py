"""Keeps the garbage collector away while tens of thousands of objects come in.

It would look at all of them again and again as they arrive: two thirds of the time of a
synchronization, and stalls of a tenth of a second each.
"""

import gc


class Quiet:
    """No collections while anybody holds it."""

    def __init__(self) -> None:
        self._holders: set[object] = set()
        self._was_on = False

    def hold(self, who: object) -> None:
        """Keep the collector away until *who* lets go."""
        if not self._holders:
            self._was_on = gc.isenabled()
            gc.disable()
        self._holders.add(who)

    def release(self, who: object) -> None:
        """Let it work again once nobody holds; what came in is left out of its rounds for good."""
        if who not in self._holders:
            return
        self._holders.discard(who)
        if not self._holders and self._was_on:
            gc.freeze()
            gc.enable()
