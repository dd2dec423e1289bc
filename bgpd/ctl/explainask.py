"""Ask a node why: its status, what its agent's decisions rest on, what its speaker has told.

An agent or a speaker of an older version, or none at all, costs its part and nothing else.
"""

from pathlib import Path
from typing import TypeVar

import msgspec

from bgpd.ctl.observe import AGENT_SOCKET, SPEAKER_SOCKET, observe
from bgpd.ctl.view import View
from bgpd.ipc.ask import Asked, ask, begin, wait
from bgpd.ipc.message import Ask
from bgpd.model.errors import BgpdError
from bgpd.model.grounds import AgentRoutes, Grounds, PeerRoute, SpeakerRoutes
from bgpd.model.prefix import Address, Prefix, host_prefix, parse_address, parse_prefix

T = TypeVar("T")
_MOST_PAGES = 100


class Node:
    """One node's sockets."""

    def __init__(self, run_dir: Path, *, agent: Path | None = None, timeout: float) -> None:
        self.agent = agent or run_dir / AGENT_SOCKET
        self.speaker = run_dir / SPEAKER_SOCKET
        self._timeout = timeout

    def view(self) -> View:
        """Return the status of both."""
        return observe(agent=self.agent, speaker=self.speaker, timeout=self._timeout)

    def grounds(self, name: str) -> tuple[Grounds, ...] | str:
        """Return what the agent's decisions on *name* rest on, or why nobody says it."""
        question = Ask(question="grounds", arguments={"name": name})
        asked = begin(self.agent, question, timeout=self._timeout)
        wait((asked,))
        found = _heard(asked, tuple[Grounds, ...])
        return found if not isinstance(found, str) else f"what decisions rest on ({found})"

    def wanted(self, peer: str = "", prefix: str = "") -> AgentRoutes | str:
        """Return what the agent wants of *peer*, or why nobody says it."""
        question = Ask(question="routes", arguments=_named(peer=peer, prefix=prefix))
        asked = begin(self.agent, question, timeout=self._timeout)
        return _heard(asked, AgentRoutes)

    def told(self, peer: str = "", prefix: str = "") -> SpeakerRoutes | str:
        """Return what the speaker told *peer*, all pages of it, or why nobody says it."""
        routes: list[PeerRoute] = []
        arguments = _named(peer=peer, prefix=prefix)
        for _ in range(_MOST_PAGES):
            question = Ask(question="routes", arguments=arguments)
            page = _heard(begin(self.speaker, question, timeout=self._timeout), SpeakerRoutes)
            if isinstance(page, str):
                return page
            routes += page.routes
            if not page.more or not page.routes:
                return _whole(page, routes)
            last = page.routes[-1]
            arguments = {**arguments, "after": f"{last.peer} {last.prefix}"}
        return "it has more routes than can be asked for"

    def alone(self) -> tuple[Prefix, ...] | str:
        """Return the prefixes that no other live, undrained node carries, or why nobody says it."""
        question = Ask(question="drain", arguments={"dry-run": "true"})
        try:
            answer = ask(self.speaker, question, timeout=self._timeout)
            if not answer.ok:
                return answer.error
            return msgspec.convert(answer.content, _Alone).alone
        except (BgpdError, msgspec.ValidationError) as error:
            return str(error)


class _Alone(msgspec.Struct):
    alone: tuple[Prefix, ...] = ()


def prefix_of(text: str) -> Prefix | None:
    """Return the prefix that a person means by *text*, an address or a prefix; None: neither."""
    try:
        return parse_prefix(text) if "/" in text else host_prefix(Address(parse_address(text)))
    except BgpdError:
        return None


def _named(**arguments: str) -> dict[str, str]:
    return {name: value for name, value in arguments.items() if value}


def _whole(page: SpeakerRoutes, routes: list[PeerRoute]) -> SpeakerRoutes:
    return SpeakerRoutes(
        node=page.node,
        routes=tuple(routes),
        established=page.established,
        settled=page.settled,
    )


def _heard(asked: Asked, kind: type[T]) -> T | str:
    try:
        answer = asked.answer()
        return msgspec.convert(answer.content, kind) if answer.ok else answer.error
    except BgpdError as error:
        return str(error)
    except msgspec.ValidationError as error:
        return f"the answer is not understood: {error}"
