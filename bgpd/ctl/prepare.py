"""`bgpd host prepare`: give directories of the host to the user that our processes run as.

Kubernetes makes such directories for root. The processes may run as different users of one group
(an agent that changes the host's routes is root without any right over other people's files), and
may do so differently tomorrow: so everything there belongs to the user and the group, and the
group may do all that the user may. It takes CAP_CHOWN alone: what belongs to us we may change.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bgpd.model.errors import ConfigError

USER: Final = 65532
"""The user and the group of the image."""
_DIRECTORY: Final = 0o770
_EVERYTHING: Final = 0o660


def prepare(paths: Iterable[Path], user: int = USER) -> None:
    """Give all of *paths* and what is below them to *user*; raise `ConfigError` where it fails."""
    for path in paths:
        try:
            path.mkdir(parents=True, exist_ok=True)
            _give(path, user)
        except OSError as error:
            where = error.filename or path
            raise ConfigError(
                f"{where}: cannot be given to user {user}: {error.strerror}; that takes root, or"
                " CAP_CHOWN"
            ) from None


def _give(path: Path, user: int) -> None:
    found = path.lstat()
    mode = _wanted(found.st_mode)
    if mode is None:
        return
    right = found.st_uid == found.st_gid == user and stat.S_IMODE(found.st_mode) == mode
    if stat.S_ISDIR(found.st_mode):
        # Ours for the moment: without a right over other people's files we could not look inside.
        os.chown(path, os.geteuid(), user, follow_symlinks=False)
        path.chmod(mode)
        for one in sorted(path.iterdir()):
            _give(one, user)
    elif right:
        return
    else:
        os.chown(path, os.geteuid(), user, follow_symlinks=False)
        path.chmod(mode)
    os.chown(path, user, user, follow_symlinks=False)


def _wanted(mode: int) -> int | None:
    """Return the mode that something should have; None: it is left alone."""
    if stat.S_ISDIR(mode):
        return _DIRECTORY
    if stat.S_ISREG(mode) or stat.S_ISSOCK(mode):
        return _EVERYTHING
    return None
