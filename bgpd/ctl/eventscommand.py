"""The command line of `bgpctl events`: what the agent and the speaker of this node noticed."""

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bgpd.ctl.options import ANSWER_SECONDS, RUN_DIR, Output, RunDir, Socket, Timeout, note

if TYPE_CHECKING:
    from bgpd.model.event import Event

_PAUSE_SECONDS: Final = 1.0

_Lists = dict[str, tuple["Event", ...]]


def events_command(  # noqa: PLR0913 - each is an option of the command line
    *,
    output: Annotated[Output, typer.Option("-o", "--output", help="The form.")] = Output.TABLE,
    last: Annotated[int, typer.Option("--last", min=1, help="How many events.")] = 50,
    level: Annotated[
        str, typer.Option("--level", help="From this level up: info, warning or error.")
    ] = "info",
    event: Annotated[
        list[str] | None,
        typer.Option("--event", help="Only events of this name; * matches any.", metavar="NAME"),
    ] = None,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Go on with what happens.")] = False,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Rows alone.")] = False,
    run_dir: RunDir = RUN_DIR,
    socket: Socket = "",
    timeout: Timeout = ANSWER_SECONDS,
) -> None:
    """Show what happened on this node: the last events of its agent and its speaker.

    The same words as in their logs. Each keeps its last 500, until it is restarted.
    """
    from bgpd.ctl import document, eventlist  # noqa: PLC0415

    if level not in eventlist.LEVELS:
        sentence = f"{level!r} is not allowed; must be info, warning or error"
        raise typer.BadParameter(sentence, param_hint="--level")
    names = event or []
    sockets = _sockets(run_dir, socket)
    lists, missing = _asked(sockets, timeout)
    _complain(missing, sockets)
    found = eventlist.chosen(eventlist.merged(lists.values()), level=level, names=names)[-last:]
    if not watch and output in {Output.JSON, Output.YAML}:
        sys.stdout.write(document.dump(eventlist.document(found, missing), output.value))
        return
    if not watch:
        wide = output is Output.WIDE
        text = eventlist.table(found, now=time.time(), wide=wide, headers=not no_headers)
        sys.stdout.write(text)
        return
    _print(found, output)
    for lists_now in _following(sockets, lists, missing, timeout):
        new = [eventlist.news(lists.get(name, ()), each) for name, each in lists_now.items()]
        _print(eventlist.chosen(eventlist.merged(new), level=level, names=names), output)
        lists = {**lists, **lists_now}


def gather(run_dir: Path, *, timeout: float) -> tuple[tuple["Event", ...], Mapping[str, str]]:
    """Return all that the processes remember, oldest first, and who did not answer, and why."""
    from bgpd.ctl import eventlist  # noqa: PLC0415

    lists, missing = _asked(_sockets(run_dir, ""), timeout)
    return eventlist.merged(lists.values()), missing


def _sockets(run_dir: Path, socket: str) -> dict[str, Path]:
    from bgpd.ctl import observe  # noqa: PLC0415
    from bgpd.ctl.options import socket_path  # noqa: PLC0415

    if socket:
        return {"socket": socket_path(socket)}
    return {"agent": run_dir / observe.AGENT_SOCKET, "speaker": run_dir / observe.SPEAKER_SOCKET}


def _asked(sockets: Mapping[str, Path], timeout: float) -> tuple[_Lists, dict[str, str]]:
    """Ask all at once; return what they said, and why others did not.

    Raise `ConfigError` where we may not ask.
    """
    import msgspec  # noqa: PLC0415

    from bgpd.ipc.ask import begin  # noqa: PLC0415
    from bgpd.ipc.message import Ask  # noqa: PLC0415
    from bgpd.model.errors import BgpdError, ConfigError  # noqa: PLC0415
    from bgpd.model.event import Event  # noqa: PLC0415

    begun = {
        name: begin(path, Ask(question="events"), timeout=timeout) for name, path in sockets.items()
    }
    lists: _Lists = {}
    missing: dict[str, str] = {}
    for name, question in begun.items():
        try:
            answer = question.answer()
            if answer.ok:
                lists[name] = tuple(msgspec.convert(answer.content, list[Event]))
            else:
                missing[name] = f"{sockets[name]}: {answer.error}"
        except ConfigError:
            raise
        except BgpdError as error:
            missing[name] = str(error)
        except msgspec.ValidationError as error:
            missing[name] = f"{sockets[name]}: the answer is not understood: {error}"
    return lists, missing


def _complain(missing: Mapping[str, str], sockets: Mapping[str, Path]) -> None:
    """Say in a sentence what is not known; raise `TransientError` when nothing is."""
    from bgpd.model.errors import TransientError  # noqa: PLC0415

    if len(missing) == len(sockets):
        told = "; ".join(missing.values())
        raise TransientError(told if len(missing) == 1 else f"nothing answers ({told})")
    for name, why in missing.items():
        note(f"the {name} does not answer ({why}); its events are missing here")


def _following(
    sockets: Mapping[str, Path], lists: _Lists, missing: Mapping[str, str], timeout: float
) -> Iterator[_Lists]:
    """Yield what is remembered, second by second; tell once who stops answering, or does again."""
    silent = set(missing)
    while True:
        sys.stdout.flush()
        time.sleep(_PAUSE_SECONDS)
        lists, missing = _asked(sockets, timeout)
        for name in sorted(missing.keys() - silent):
            note(f"the {name} does not answer any more: {missing[name]}")
        for name in sorted(silent - missing.keys()):
            note(f"the {name} answers again")
        silent = set(missing)
        yield lists


def _print(events: tuple["Event", ...], output: Output) -> None:
    import json  # noqa: PLC0415

    from bgpd.ctl import document, eventlist  # noqa: PLC0415

    for one in events:
        if output is Output.JSON:
            print(json.dumps(eventlist.item(one)))  # noqa: T201
        elif output is Output.YAML:
            sys.stdout.write(f"---\n{document.dump(eventlist.item(one), 'yaml')}")
        else:
            line = eventlist.line(one, now=time.time(), wide=output is Output.WIDE)
            print(line)  # noqa: T201
