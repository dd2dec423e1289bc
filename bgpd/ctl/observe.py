"""Ask a node's two sockets, and make do with what answers."""

from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeVar

import msgspec

from bgpd.ctl.view import View, arranged
from bgpd.ipc.ask import ask
from bgpd.ipc.message import Ask
from bgpd.model.errors import BgpdError, ConfigError, ProtocolError, TransientError
from bgpd.model.status import NodeStatus, SpeakerStatus
from bgpd.model.timeline import Failover

AGENT_SOCKET: Final = "agent.sock"
SPEAKER_SOCKET: Final = "speaker.sock"

T = TypeVar("T")

_Question: TypeAlias = Literal["status", "timeline"]


def observe(*, agent: Path, speaker: Path, timeout: float) -> View:
    """Return what the agent says, and what the speaker says itself: the agent's copy is older.

    Raise `ConfigError` when we may not ask: a node that we may not look at is not down.
    """
    node, agent_error = _or_error(agent, NodeStatus, timeout=timeout)
    status, speaker_error = _or_error(speaker, SpeakerStatus, timeout=timeout)
    return joined(node, agent_error, status, speaker_error)


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
    answer = ask(speaker, question, timeout=timeout)
    if not answer.ok:
        raise BgpdError(f"{speaker}: {answer.error}")


def accept_vanished(agent: Path, *, timeout: float) -> int:
    """Tell the agent that what vanished may go; return how many objects that were."""
    answer = ask(agent, Ask(question="accept-vanished"), timeout=timeout)
    if not answer.ok:
        raise BgpdError(f"{agent}: {answer.error}")
    match answer.content:
        case {"accepted": int(accepted)}:
            return accepted
        case _:
            raise ProtocolError(f"{agent}: the answer is not understood: {answer.content!r}")


def _or_error(path: Path, kind: type[T], *, timeout: float) -> tuple[T | None, str]:
    try:
        return _content(path, "status", kind, timeout=timeout), ""
    except ConfigError:
        raise
    except BgpdError as error:
        return None, str(error)


def _content(path: Path, question: _Question, kind: type[T], *, timeout: float) -> T:
    answer = ask(path, Ask(question=question), timeout=timeout)
    if not answer.ok:
        raise BgpdError(f"{path}: {answer.error}")
    return _converted(path, answer.content, kind)


def _converted(path: Path, content: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise ProtocolError(
            f"{path}: the answer is not understood ({error}); is this bgpctl"
            " older than what answered?"
        ) from error
