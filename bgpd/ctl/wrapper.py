"""A `bgpctl` for a node that has no Python: a script that enters the speaker's container.

It asks the container runtime (crictl), and so works with the API server and the kubelet down. What
somebody else has put in its place is left alone.
"""

import os
from pathlib import Path
from typing import Final

from bgpd.model.errors import ConfigError

NAME: Final = "bgpctl"
_MARK: Final = "# Written by bgpd host prepare --wrapper"
_TEXT: Final = """\
#!/bin/sh
{mark}; remove this file with bgpd.
# CRICTL names another crictl, or one with options: CRICTL="crictl -r unix:///run/crio/crio.sock".
set -eu
crictl=${{CRICTL:-crictl}}
pod=io.kubernetes.pod.namespace={namespace}
id=$($crictl ps --quiet --state Running --label "$pod" --name '^speaker$' | head -n 1)
if [ -z "$id" ]; then
    echo "bgpctl: no speaker runs on this node; crictl ps --all --name '^speaker$' tells more" >&2
    exit 4
fi
if [ -t 0 ] && [ -t 1 ]; then exec $crictl exec --interactive --tty "$id" bgpctl "$@"; fi
exec $crictl exec --interactive "$id" bgpctl "$@"
"""


def text(namespace: str) -> str:
    """Return the script for the speakers in *namespace*."""
    return _TEXT.format(mark=_MARK, namespace=namespace)


def write(directory: Path, namespace: str) -> None:
    """Write the script into *directory*; raise `ConfigError` where that cannot be done."""
    path = directory / NAME
    try:
        if path.is_symlink() or (path.exists() and _MARK not in path.read_text(errors="replace")):
            raise ConfigError(
                f"{path}: is somebody else's and is left alone; remove it, or name another"
                " directory"
            )
        beside = directory / f".{NAME}.{os.getpid()}"
        beside.write_text(text(namespace))
        beside.chmod(0o755)
        beside.replace(path)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written: {error.strerror}; name a directory of root that is not"
            " read-only, as /opt/bin"
        ) from None
