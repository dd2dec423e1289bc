"""`bgpctl completion SHELL`, what its scripts call, and the same for `kubectl bgpd`."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from bgpd.ctl.options import RUN_DIR

HIDDEN_COMMAND: Final = "__complete"
"""The hidden command that scripts call with the words so far."""
_NAME_SECONDS: Final = 0.5
"""How long a person who pressed Tab waits for names."""

_BASH: Final = """\
# bgpctl's completion for bash: source <(bgpctl completion bash)
_bgpctl() {
    local line=${COMP_LINE:0:COMP_POINT} current words=() reply colon
    read -ra words <<<"$line"
    current=${words[${#words[@]} - 1]}
    case $line in *[[:space:]]) words+=(""); current="" ;; esac
    COMPREPLY=()
    while IFS= read -r reply; do
        if [ "$reply" = :files ]; then
            compopt -o default
            return
        fi
        COMPREPLY+=("$reply")
    done < <("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null)
    # bash takes a colon, as in an IPv6 address, for the end of a word.
    colon=${current%"${current##*:}"}
    if [ -n "$colon" ] && [[ $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"$colon"}")
    fi
}
complete -F _bgpctl bgpctl
"""
_ZSH: Final = """\
#compdef bgpctl
# bgpctl's completion for zsh: source <(bgpctl completion zsh)
_bgpctl() {
    local -a found
    found=("${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ ${found[1]} == :files ]]; then
        _files
    elif [[ -n ${found[1]} ]]; then
        compadd -a found
    fi
}
if [[ ${funcstack[1]} == _bgpctl ]]; then
    _bgpctl "$@"
else
    compdef _bgpctl bgpctl
fi
"""
_FISH: Final = """\
# bgpctl's completion for fish: bgpctl completion fish | source
function __bgpctl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
    if test "$found[1]" = ":files"
        __fish_complete_path "$current"
    else
        printf '%s\\n' $found
    end
end
complete -c bgpctl -f -a '(__bgpctl_complete)'
"""


class Shell(StrEnum):
    """The shells that there is a completion for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_SCRIPTS: Final = {Shell.BASH: _BASH, Shell.ZSH: _ZSH, Shell.FISH: _FISH}


def completion_command(
    shell: Annotated[Shell, typer.Argument(metavar="BASH|ZSH|FISH", help="Which shell.")],
) -> None:
    """Print a script for completion in a shell.

    Of commands, options and the names that a node has: `source <(bgpctl completion bash)`,
    `source <(bgpctl completion zsh)`, `bgpctl completion fish | source`.
    """
    sys.stdout.write(_SCRIPTS[shell])


def complete_command(context: typer.Context) -> None:
    """Print what may stand where the last word does; never an error, which no shell shows."""
    root: Any = context.find_root().command
    sys.stdout.write("".join(f"{one}\n" for one in _found(root, context.args)))


def kubectl_main() -> None:
    """Answer kubectl, which asks a program of this name what may follow `kubectl bgpd`."""
    from bgpd.ctl.app import app  # noqa: PLC0415
    from bgpd.ctl.complete import FILES  # noqa: PLC0415

    found = _found(typer.main.get_command(app), sys.argv[1:])
    files = found == [FILES]
    sys.stdout.write("".join(f"{one}\n" for one in ([] if files else found)))
    # Cobra's directive: 0 lets the shell go on with files, 4 does not.
    print(":0" if files else ":4")  # noqa: T201


def _found(root: Any, words: list[str]) -> list[str]:
    from bgpd.ctl.complete import candidates  # noqa: PLC0415

    return candidates(root, words, nouns=_nouns(), names=_quietly(_names))


def _nouns() -> tuple[str, ...]:
    from bgpd.ctl.getcommand import NOUNS  # noqa: PLC0415 - without all that makes their lists

    return tuple(NOUNS.split(", "))


def _names(noun: str, options: Mapping[str, str]) -> Iterable[str]:
    """Return the names of *noun* on the node at hand."""
    from bgpd.ctl import observe  # noqa: PLC0415
    from bgpd.ctl.resource import noun_of  # noqa: PLC0415
    from bgpd.ctl.scene import Place, Scene  # noqa: PLC0415
    from bgpd.ctl.way import Way  # noqa: PLC0415

    asked = noun_of(noun)
    run_dir = Path(options.get("run_dir") or os.environ.get("BGPD_RUN_DIR") or RUN_DIR)
    way = Way(run_dir=run_dir)
    if asked.inventory:
        scene = Scene(places=(), inventory=observe.inventory(way.agent_socket, timeout=0.5))
    else:
        view = observe.observe(
            agent=way.agent_socket, speaker=way.speaker_socket, timeout=_NAME_SECONDS
        )
        scene = Scene(places=(Place(node=view.node, view=view),))
    return [str(one.name) for one in asked.items(scene)]


def _quietly(
    names: Callable[[str, Mapping[str, str]], Iterable[str]],
) -> Callable[[str, Mapping[str, str]], Iterable[str]]:
    """Return *names* without its errors: who completes a word is in the middle of another thing."""
    from bgpd.model.errors import BgpdError  # noqa: PLC0415

    def found(noun: str, options: Mapping[str, str]) -> Iterable[str]:
        try:
            return names(noun, options)
        except BgpdError:
            return ()

    return found
