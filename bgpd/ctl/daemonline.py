"""The command lines of the processes, and how `bgpd` becomes one of them.

Limits and what a core dump may hold are settled before: they pass on to the process and to
whatever that starts.
"""

import os
import resource
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from bgpd.model.errors import ConfigError

_FILES: Final = 16_384


def speaker_line(
    *, state_dir: Path, term_timeout: int | str = "", **options: object
) -> tuple[str, ...]:
    """Return the command line of the launcher, with that of the reflex inside as one word.

    ExaBGP starts the reflex by a line of text, so every option is quoted for a shell.
    """
    reflex = module_line("bgpd.speaker", state_dir=state_dir, **options)
    return module_line(
        "bgpd.exabgp.launcher",
        configuration=state_dir / "exabgp.conf",
        log_format=options.get("log_format", ""),
        term_timeout=term_timeout,
        reflex=shlex.join(reflex),
    )


def module_line(module: str, **options: object) -> tuple[str, ...]:
    """Return the command line of one of our modules; an empty option is left out."""
    line = [sys.executable, "-m", module]
    for name, value in options.items():
        if str(value):
            # One word each, so that a value that begins with a dash stays a value.
            line.append(f"--{name.replace('_', '-')}={value}")
    return tuple(line)


def become(line: tuple[str, ...]) -> NoReturn:
    """Become the program of *line*; raise `ConfigError` where this user may not run it."""
    _leave_no_core()
    _open_enough()
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(line[0], line)  # noqa: S606 - the line is our own
    except OSError as error:
        # An interpreter in a directory that only root may enter.
        raise ConfigError(
            f"{line[0]}: cannot be run by user {os.geteuid()}: {error.strerror}; install bgpd where"
            " this user can read it"
        ) from None


def _leave_no_core() -> None:
    """Let no core dump hold what the process knows: TCP MD5 passwords, the mesh's key.

    Both settings pass on to the program that we become and to whatever that starts. The second
    one counts where the kernel hands cores to a program, which the first does not prevent.
    """
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/coredump_filter").write_text("0\n")


def _open_enough() -> None:
    """Use as many open files as we may: a runtime of containers leaves the usual limit at 1,024.

    Each target that is probed at the same moment takes one.
    """
    with suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
