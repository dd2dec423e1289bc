"""What a person may have got wrong in the options of a process, said before the process is there.

Every check raises `ConfigError` with the option, the value and what to do about it. What is only
known to the process itself, such as a password in a document, it says when it runs.
"""

import os
import socket
from pathlib import Path
from typing import Final

import typer

from bgpd.model.errors import ConfigError
from bgpd.telemetry import metricsoptions

_DIRECTORY_MODE: Final = 0o750
_MAX_NODE: Final = 253


def checked_node(name: str) -> str:
    """Return the name of this node, which is *name* or the host's own."""
    node = name or socket.gethostname()
    if not node or len(node) > _MAX_NODE or not node.isprintable() or " " in node:
        raise ConfigError(
            f"--node: {node!r} is not a node's name: 1 to {_MAX_NODE} printable characters,"
            " no blanks"
        )
    return node


def checked_source(source: str, documents: Path | None) -> str:
    """Return where documents come from, with *documents* beside them, if both can be read."""
    source = source or _mounted_source()
    _check_source(source)
    if documents is not None:
        _check_documents(documents, source)
    return source


def _mounted_source() -> str:
    """Return the source that goes without saying in a pod; elsewhere it must be given."""
    from bgpd.kube.access import mounted  # noqa: PLC0415

    if not mounted():
        raise typer.BadParameter(
            "not given, and this is no pod; use directory:PATH or kubernetes:KUBECONFIG",
            param_hint="--source",
        )
    return "kubernetes"


def _check_source(source: str) -> None:
    kind, colon, path = source.partition(":")
    if kind == "kubernetes":
        if colon:
            _check_kubeconfig(path)
        return
    if kind != "directory" or not path:
        raise ConfigError(
            f"--source: {source!r} is not known; use directory:PATH, kubernetes or"
            " kubernetes:KUBECONFIG"
        )
    _check_directory(Path(path), "--source")


def _check_kubeconfig(path: str) -> None:
    if not path:
        raise ConfigError(
            "--source: kubernetes: names no file; use kubernetes:KUBECONFIG, or kubernetes alone"
            " in a pod"
        )
    if not Path(path).exists():
        raise ConfigError(f"--source: {path}: no such file; name a kubeconfig")
    if not Path(path).is_file() or not os.access(path, os.R_OK):
        raise ConfigError(f"--source: {path} is no kubeconfig that user {os.geteuid()} can read")


def _check_documents(path: Path, source: str) -> None:
    if not source.startswith("kubernetes"):
        raise ConfigError(
            "--documents: is for files beside the API; put them into the directory of --source"
        )
    _check_directory(path, "--documents")


def _check_directory(path: Path, option: str) -> None:
    if not path.is_dir():
        raise ConfigError(f"{option}: {path} is not a directory; create it or name another")
    if not os.access(path, os.R_OK | os.X_OK):
        raise ConfigError(f"{option}: {path} cannot be read by user {os.geteuid()}")


def check_writable(path: Path, option: str) -> None:
    """Make *path* if it is missing, and raise `ConfigError` unless we may write there."""
    try:
        path.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{option}: cannot create {path}: {error.strerror}") from None
    check_creatable(path, option)


def check_state(path: Path, option: str) -> str:
    """Check *path* as `check_writable` does; return a warning where it will do all the same.

    A file system that turned read-only, because its disk fails, is no mistake in an option: what
    is remembered there can be read, and a condition says what is not written.
    """
    if _read_only(path) and os.access(path, os.R_OK | os.X_OK) and any(path.iterdir()):
        return (
            f"{option}: {path} is on a read-only file system: what is there is used, and nothing"
            " new is remembered; see to the disk"
        )
    check_writable(path, option)
    return ""


def _read_only(path: Path) -> bool:
    try:
        return path.is_dir() and bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def check_creatable(path: Path, option: str) -> None:
    """Raise `ConfigError` unless *path* is a directory that we may write to, or could be one.

    It is not made here: the socket's server makes it for the socket's group.
    """
    nearest = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not nearest.is_dir():
        raise ConfigError(f"{option}: {nearest} is not a directory; remove it or name another")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{option}: user {os.geteuid()} cannot write to {nearest}; chown it or name another"
        )


def metrics_words(
    address: str, tls_cert: Path | None, tls_key: Path | None, token_file: Path | None
) -> dict[str, object]:
    """Return the options of the metrics port as the process gets them, after a check."""
    files = {"tls_cert": tls_cert, "tls_key": tls_key, "token_file": token_file}
    paths = {name: str(path.absolute()) if path else "" for name, path in files.items()}
    metricsoptions.parse(address=address, **paths)
    return {
        "metrics_address": address,
        **{f"metrics_{name}": path for name, path in paths.items()},
    }
