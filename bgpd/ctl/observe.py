"""Ask a node's two sockets, and make do with what answers."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

import msgspec

from bgpd.ctl.view import View, arranged
from bgpd.ipc.ask import Asked, ask, begin, wait
from bgpd.ipc.message import Answer, Ask
from bgpd.model.errors import BgpdError, ConfigError, ProtocolError, TransientError
from bgpd.model.status import NodeStatus, SpeakerStatus
from bgpd.model.timeline import Failover

if TYPE_CHECKING:
    from bgpd.model.inventory import Inventory

AGENT_SOCKET: Final = "agent.sock"
SPEAKER_SOCKET: Final = "speaker.sock"

T = TypeVar("T")

_Question: TypeAlias = Literal["status", "timeline", "inventory"]


def observe(*, agent: Path, speaker: Path, timeout: float) -> View:
    """Return what the agent says, and what the speaker says itself: the agent's copy is older.

    Both are asked at once, so that two that hang cost one *timeout*. Raise `ConfigError` when we
    may ask neither: a node that we may not look at is not down.
    """
    question = Ask(question="status")
    asked = [begin(path, question, timeout=timeout) for path in (agent, speaker)]
    wait(asked)
    node = _heard(asked[0], agent, NodeStatus)
    status = _heard(asked[1], speaker, SpeakerStatus)
    if isinstance(node, ConfigError):
        if isinstance(status, BgpdError):
            raise node
        return View(
            speaker=arranged(status), agent_asked=False, agent_error=str(node), unasked=str(node)
        )
    if isinstance(status, ConfigError):
        if isinstance(node, BgpdError):
            raise status
        return replace(joined(node, "", None, ""), unasked=str(status))
    return joined(*_parted(node), *_parted(status))


def joined(
    node: NodeStatus | None, agent_error: str, status: SpeakerStatus | None, speaker_error: str
) -> View:
    """Return what both said, or why not: without the speaker's own word, the agent's copy."""
    copy = node.speaker if node is not None and status is None else None
    known = status or copy
    return View(
        agent=node,
        agent_error=agent_error,
        speaker=arranged(known) if known is not None else None,
        speaker_error=speaker_error,
        secondhand=copy is not None,
    )


def observe_one(path: Path, *, timeout: float) -> View:
    """Return what whoever listens on *path* says, agent or speaker.

    Raise `BgpdError` when nothing can be asked there: that says nothing about the node.
    """
    answer = _content(path, "status", dict[str, object], timeout=timeout)
    if "source" not in answer:
        status = _converted(path, answer, SpeakerStatus)
        return View(speaker=arranged(status), agent_asked=False)
    node = _converted(path, answer, NodeStatus)
    if node.speaker is None:
        return View(agent=node, speaker_error="says the agent")
    return View(agent=node, speaker=arranged(node.speaker), secondhand=True)


def answer(path: Path, kind: type[T], *, timeout: float) -> T:
    """Return the status that whoever listens on *path* gives; raise `BgpdError` if nobody does."""
    return _content(path, "status", kind, timeout=timeout)


def observe_agent(path: Path, *, timeout: float) -> NodeStatus:
    """Return what the agent says, or raise `BgpdError`."""
    return _content(path, "status", NodeStatus, timeout=timeout)


def inventory(agent: Path, *, timeout: float) -> "Inventory":
    """Return what the agent knows of pools, peers and health checks, or raise `BgpdError`."""
    from bgpd.model.inventory import Inventory  # noqa: PLC0415 - few ask, and it takes its time

    try:
        return _content(agent, "inventory", Inventory, timeout=timeout)
    except TransientError as error:
        # An agent that does not know the question ends the connection (bgpd.ipc.message).
        raise TransientError(f"only the agent knows that: {error}") from error


def failovers(*, agent: Path, speaker: Path, timeout: float) -> tuple[Failover, ...]:
    """Return the last failovers, oldest first, from the speaker, else through the agent."""
    try:
        found = _content(speaker, "timeline", list[Failover], timeout=timeout)
    except TransientError as error:
        try:
            found = _content(agent, "timeline", list[Failover], timeout=timeout)
        except TransientError:
            raise error from None
    return tuple(sorted(found, key=lambda failover: failover.at))


def reset_generation(speaker: Path, *, to: int, timeout: float) -> None:
    """Ask the speaker to start counting generations at *to* again."""
    question = Ask(question="generation-reset", arguments={"to": str(to)})
    _good(speaker, ask(speaker, question, timeout=timeout))


def accept_vanished(agent: Path, *, timeout: float) -> int:
    """Tell the agent that what vanished may go; return how many objects that were."""
    answer = _good(agent, ask(agent, Ask(question="accept-vanished"), timeout=timeout))
    match answer:
        case {"accepted": int(accepted)}:
            return accepted
        case _:
            raise ProtocolError(f"{agent}: the answer is not understood: {answer!r}")


def _heard(asked: Asked, path: Path, kind: type[T]) -> T | BgpdError:
    """Return the answer, or why there is none."""
    try:
        return _converted(path, _good(path, asked.answer()), kind)
    except BgpdError as error:
        return error


def _parted(heard: T | BgpdError) -> tuple[T | None, str]:
    return (None, str(heard)) if isinstance(heard, BgpdError) else (heard, "")


def _content(path: Path, question: _Question, kind: type[T], *, timeout: float) -> T:
    return _converted(path, _good(path, ask(path, Ask(question=question), timeout=timeout)), kind)


def _good(path: Path, answer: Answer) -> object:
    if not answer.ok:
        raise BgpdError(f"{path}: {answer.error}")
    return answer.content


def _converted(path: Path, content: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise ProtocolError(
            f"{path}: the answer is not understood ({error}); is this bgpctl"
            " older than what answered?"
        ) from error
