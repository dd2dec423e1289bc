"""One node's half of a probe: its speaker, which advertises, and what arrives here."""

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from bgpd.ctl import observe
from bgpd.ctl.probeplan import ProbeError
from bgpd.ipc.ask import ask
from bgpd.ipc.message import Answer, Ask
from bgpd.model.errors import BgpdError
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Address, family_of, host_prefix
from bgpd.model.status import SessionStatus

LEASE_SECONDS: Final = 5
"""So long a route of ours outlives whoever no longer asks for it."""
RENEW_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 4.0


class Room:
    """The sockets of this node, and the trial that its speaker is asked for."""

    def __init__(self, run_dir: Path) -> None:
        """Ask this node how it is; raise `ProbeError` where no speaker answers."""
        self._speaker = run_dir / observe.SPEAKER_SOCKET
        view = observe.observe(
            agent=run_dir / observe.AGENT_SOCKET, speaker=self._speaker, timeout=_ANSWER_SECONDS
        )
        if view.speaker is None or view.secondhand:
            raise ProbeError(f"{view.speaker_error}; run this on a node whose speaker runs")
        self._view = view
        self.node = view.speaker.node
        self.members: dict[str, Address] = {}
        if view.speaker.mesh is not None:
            self.members = {one.name: one.address for one in view.speaker.mesh.members}
        self._owner = ""
        self._asked: dict[str, str] = {}
        self._renewed = 0.0

    def sessions(self, address: Address, names: Iterable[str] = ()) -> tuple[SessionStatus, ...]:
        """Return the established sessions that routes to *address* go over."""
        wanted = frozenset(names)
        speaker = self._view.speaker
        found = () if speaker is None else speaker.sessions
        for name in sorted(wanted - {one.peer for one in found}):
            raise ProbeError(f"there is no peer {name} on {self.node}")
        return tuple(
            one
            for one in found
            if one.state is PeerState.ESTABLISHED
            and (not wanted or one.peer in wanted)
            and family_of(one.address) is family_of(address)
        )

    def refuse_used(self, address: Address) -> None:
        """Raise `ProbeError` where a Service of the cluster has *address*, advertised or not."""
        prefix = host_prefix(address)
        agent = self._view.agent
        if agent is None:
            raise ProbeError(f"{self.node}: no agent says which addresses Services have")
        used = agent.services.get(prefix, ())
        kept = [one.service for one in agent.withheld if one.prefix == prefix and one.service]
        for service in (*used, *kept):
            raise ProbeError(f"{address} belongs to Service {service}; name a spare address")

    def advertise(self, owner: str, arguments: dict[str, str]) -> None:
        """Have the spare address advertised as *arguments* say, until told otherwise."""
        runs = bool(self._asked)
        self._owner, self._asked = owner, arguments
        self._renew(runs=runs)

    def withdraw(self) -> None:
        """Put back what was advertised; the lease would, too, if this cannot."""
        owner, self._asked = self._owner, {}
        if owner:
            with suppress(BgpdError):
                self._ask("trial", {"owner": owner, "end": "true"})

    def keep(self) -> None:
        """Prolong the lease when it is time."""
        if self._asked and time.monotonic() - self._renewed > RENEW_SECONDS:
            self._renew(runs=True)

    def note(self, moves: dict[str, dict[str, bool]]) -> None:
        """Have the speaker remember which levers move which peers."""
        self._ask("probed", {"levers": msgspec.json.encode(moves).decode()})

    def _renew(self, *, runs: bool) -> None:
        """Ask for what is wanted; raise `ProbeError` where it *runs* no more, unnoticed."""
        self._renewed = time.monotonic()
        seconds = {"owner": self._owner, "seconds": str(LEASE_SECONDS)}
        answer = self._ask("trial", self._asked | seconds)
        match answer.content:
            case {"prolonged": False} if runs:
                # Where the traffic went meanwhile says nothing about a lever.
                raise ProbeError(
                    f"{self.node}: the spare route was gone for a moment, because nobody prolonged"
                    " it in time: this machine is too busy, or the speaker was restarted; try again"
                )

    def _ask(self, question: str, arguments: dict[str, str]) -> Answer:
        asked = msgspec.convert({"kind": "ask", "question": question, "arguments": arguments}, Ask)
        try:
            answer = ask(self._speaker, asked, timeout=_ANSWER_SECONDS)
        except BgpdError as error:
            raise ProbeError(f"{self.node}: {error}") from None
        if not answer.ok:
            raise ProbeError(f"{self.node}: {answer.error}")
        return answer
