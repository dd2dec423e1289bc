"""Have what is wanted on this host, whoever else works on it: routes to peers, bound elastic IPs.

The end of the agent ends nothing: what is there stays for the next one, which knows it by its
marks. `bgpd.host.keeping` is the thread that does it; the loop only hears how it stands.
"""

from collections.abc import Callable
from dataclasses import replace

from bgpd.host.bindings import Bindings
from bgpd.host.inventory import KINDS
from bgpd.host.keeping import Keeping
from bgpd.host.outcome import Outcome
from bgpd.host.wish import Wanted, source_for
from bgpd.host.woken import WokenThread
from bgpd.model.prefix import Address
from bgpd.model.status import Condition, HostStatus


class Keeper:
    """Keeps what is wanted; *changed* is called in the loop when there is news.

    It gets the sentences about what was gone and put back, each once.
    """

    def __init__(
        self,
        changed: Callable[[tuple[str, ...]], None],
        *,
        looked: Callable[[], None] | None = None,
        kinds: tuple[str, ...] = KINDS,
    ) -> None:
        """Call *changed* when there is news for people, and *looked* after every look."""
        self._outcome = Outcome()
        self._addresses: frozenset[Address] | None = None
        self._changed = changed
        self._looked = looked
        self._wanted: Wanted | None = None
        self._bindings = Bindings()
        self._thread = WokenThread(
            "hosting",
            lambda woken, tell: Keeping(lambda: self._wanted, tell, woken, kinds).run(),
            self._heard,
        )

    def want(self, wanted: Wanted) -> None:
        """Have this from now on, and nothing else of ours; until the first time all stays."""
        if wanted != self._wanted:
            self._wanted = replace(wanted, number=self._bindings.want(wanted))
            self._thread.wake()

    def has(self, address: Address) -> bool:
        """Return whether the host surely has *address*, which is wanted."""
        return self._bindings.has(address)

    def cannot(self, address: Address) -> bool:
        """Return whether the host cannot have *address*, as far as was tried last."""
        found = self._outcome
        return address in found.refused or (found.present is None and bool(found.conditions))

    @property
    def addresses(self) -> frozenset[Address] | None:
        """The host's own addresses, without elastic IPs of ours; None: nobody has looked."""
        return self._addresses

    def source_for(self, destination: Address, gateway: str = "") -> Address | None:
        """Return the host's address on the way to *destination*; None: none, or nobody looked."""
        present = self._outcome.present
        return None if present is None else source_for(present, destination, gateway)

    @property
    def status(self) -> HostStatus:
        """What `bgpctl get host` shows."""
        return self._outcome.status

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should know."""
        return self._outcome.conditions

    async def run(self) -> None:
        """Keep it until cancelled; what is there then stays."""
        await self._thread.run()

    def _heard(self, found: Outcome, reports: tuple[str, ...]) -> None:
        before, self._outcome = (self._outcome, self._addresses), found
        self._addresses = None if found.present is None else found.present.own
        self._bindings.look(found)
        # That pods come and go is seen, but is no news.
        after = (found.status, found.conditions, self._addresses)
        if reports or after != (before[0].status, before[0].conditions, before[1]):
            self._changed(reports)
        if self._looked is not None:
            self._looked()
