"""The page of options and environment variables of the processes, read from their command lines.

Whoever writes a unit or a manifest looks for a name and a default, and not for a screen of help.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Final, Protocol, cast

import typer

from bgpd.ctl import app as bgpctl
from bgpd.ctl import daemon

_HEAD: Final = """\
# Configuration of the processes

<!-- Written by scripts/docs from bgpd/ctl/daemon.py; do not edit. -->

What is advertised, to whom and how stands in documents or objects
([documents.md](documents.md)). The processes themselves have a few options, each of which is an
environment variable as well; where both are given, the option holds. The chart sets them from its
values ([README](../../charts/bgpd/README.md)). How each command is called: [bgpd.md](bgpd.md).

| option | environment variable | default | of | meaning |
| --- | --- | --- | --- | --- |
"""
_ALSO: Final = """\

## Read from the environment alone

| environment variable | read by | meaning |
| --- | --- | --- |
| `KUBECONFIG` | `bgpctl`; agent and controller with `--source kubernetes` outside of a pod | \
the kubeconfig, where none is named |
| `BGPD_NAMESPACE` | agent and controller outside of a pod | \
the namespace of the installation, for the Secrets of peers; default that of the kubeconfig |
| `KUBERNETES_SERVICE_HOST`, `KUBERNETES_SERVICE_PORT` | agent, controller, `bgpctl` in a pod | \
where the API is; the kubelet sets them |
| `NO_COLOR`, `TERM` | `bgpctl` | no color where the first has a value or the second is `dumb` |

"""
_PROCESSES: Final = ("speaker", "agent", "controller")
_OWN_DEFAULT: Final = "[default: "


class _Option(Protocol):
    """What this page needs to know of an option of typer's."""

    opts: Sequence[str]
    envvar: str | None
    default: object
    required: bool
    help: str | None
    is_flag: bool


def page() -> str:
    """Return the page."""
    rows = "".join(f"{_row(one, of)}\n" for one, of in _options())
    return f"{_HEAD}{rows}{_ALSO}{_bgpctl()}"


def _options() -> Iterator[tuple[_Option, Mapping[str, _Option]]]:
    """Yield each option once, in the order of the help, with the processes that have it."""
    commands = {name: _of(daemon.app, name) for name in _PROCESSES}
    names = dict.fromkeys(name for found in commands.values() for name in found)
    for name in names:
        having = {process: found[name] for process, found in commands.items() if name in found}
        yield next(iter(having.values())), having


def _of(program: typer.Typer, command: str) -> Mapping[str, _Option]:
    """Return the options of *command* by their names."""
    found = typer.main.get_command(program)
    return {one.opts[0]: one for one in _params(vars(found)["commands"][command])}


def _params(command: object) -> Iterator[_Option]:
    for one in vars(command)["params"]:
        if one.opts[0].startswith("--"):
            yield cast("_Option", one)


def _row(one: _Option, having: Mapping[str, _Option]) -> str:
    cells = (
        f"`{one.opts[0]}`",
        f"`{one.envvar}`" if one.envvar else "-",
        _default(having),
        ", ".join(having),
        _meaning(having),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(having: Mapping[str, _Option]) -> str:
    """Return the default, or that of each process where they differ."""
    each = {process: _value(one) for process, one in having.items()}
    if len(set(each.values())) == 1:
        return next(iter(each.values()))
    return "; ".join(f"{value} ({process})" for process, value in each.items())


def _value(one: _Option) -> str:
    if one.required:
        return "required"
    if _OWN_DEFAULT in (one.help or ""):
        return str(one.help).split(_OWN_DEFAULT)[1].split("]")[0]
    if one.is_flag:
        return "on" if one.default else "off"
    value = one.default.value if isinstance(one.default, Enum) else one.default
    return f"`{value}`" if value not in (None, "") else "none"


def _meaning(having: Mapping[str, _Option]) -> str:
    """Return the help without the default, each wording once."""
    told = dict.fromkeys((one.help or "").split(_OWN_DEFAULT)[0].strip() for one in having.values())
    return " / ".join(told)


def _bgpctl() -> str:
    """Return a sentence on the variables that bgpctl shares with the processes."""
    shared = dict.fromkeys(
        f"`{one.envvar}` (`{one.opts[0]}`)"
        for command in vars(typer.main.get_command(bgpctl.app))["commands"].values()
        for one in _params(command)
        if one.envvar
    )
    return f"`bgpctl` takes {', '.join(shared)} as well, so that it finds what was moved.\n"
