"""Every secret that a node holds, read where it lies: to know what must not leave it.

What cannot be read here can be in no file of the bundle either, because nothing of ours says it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from bgpd.ctl.bundleprocess import Process, inside
from bgpd.ctl.bundlesecrets import Secrets

_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_NAMING: Final = re.compile(r"(password|token|key)file$")
_MOST_BYTES: Final = 64 * 1024


def secrets(
    documents: Iterable[object],
    texts: Mapping[str, str],
    running: Iterable[Process],
    *,
    mesh_key_file: Path,
    kubeconfig: Path | None,
) -> Secrets:
    """Return what *documents*, *texts* and the files that they and *running* name keep secret."""
    found = Secrets()
    running = tuple(running)
    named: set[str] = {_ACCOUNT}
    for document in documents:
        found.learn(document)
        named |= set(_named(document))
    for where, text in texts.items():
        if where.endswith(".conf"):
            found.learn_configuration(text)
    roots = (Path("/"), *(Path(f"/proc/{one.pid}/root") for one in running))
    for name in named:
        for root in roots:
            _add_file(found, root / name.lstrip("/"))
    for path in (mesh_key_file, *_options_of(running)):
        _add_all(found, path)
    for file in (kubeconfig, kubeconfig_of(running)):
        if file is not None:
            _add_kubeconfig(found, file)
    return found


def token_of(process: Process) -> str:
    """Return what a scraper of *process* must bear; empty: nothing, or it cannot be read."""
    path = process.options.get("metrics-token-file", "")
    return _text(inside(process, path)).strip() if path else ""


def kubeconfig_of(running: Iterable[Process]) -> Path | None:
    """Return the kubeconfig that a process of ours uses."""
    for one in running:
        kind, _, path = one.options.get("source", "").partition(":")
        if kind == "kubernetes" and path:
            return inside(one, path)
    return None


def _options_of(running: Iterable[Process]) -> Iterator[Path]:
    """Yield the files that command lines name for a key or a token."""
    for one in running:
        for name in ("mesh-key-file", "metrics-token-file", "metrics-tls-key"):
            path = one.options.get(name, "")
            if path:
                yield inside(one, path)


def _named(document: object) -> Iterator[str]:
    """Yield the files that fields of *document* name for a password or a token."""
    if isinstance(document, list | tuple):
        for one in document:
            yield from _named(one)
    if isinstance(document, dict):
        for key, value in document.items():
            plain = re.sub(r"[^a-z]", "", str(key).lower())
            if isinstance(value, str) and _NAMING.search(plain):
                yield value
            yield from _named(value)


def _add_kubeconfig(found: Secrets, path: Path) -> None:
    import yaml  # noqa: PLC0415 - a third of bgpctl's start

    try:
        document = yaml.safe_load(_text(path))
    except (yaml.YAMLError, RecursionError):
        return
    found.learn(document)
    for name in _named(document):
        _add_file(found, path.parent / name)


def _add_all(found: Secrets, path: Path) -> None:
    """Learn a file, or all files of a mounted Secret."""
    try:
        files = [one for one in path.iterdir() if one.is_file()] if path.is_dir() else [path]
    except OSError:
        return
    for file in files:
        _add_file(found, file)


def _add_file(found: Secrets, path: Path) -> None:
    found.add_text(_text(path))


def _text(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return ""
        return path.read_text(errors="replace")
    except OSError:
        return ""
