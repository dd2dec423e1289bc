"""Ask the supervisor of a cluster with nodes for what only it can do: power, cables, images.

One connection to a unix socket in the cluster's directory, a line of JSON each way.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from tests.cluster import net
from tests.cluster.error import EX_USAGE, ClusterError
from tests.cluster.nodecluster import NodeCluster

_SOCKET: Final = "control"


class Door:
    """The supervisor's side: answers one question after the other, in a thread of its own."""

    def __init__(self, directory: Path, cluster: NodeCluster, note: Callable[[], None]) -> None:
        """Listen in *directory*; *note* writes down what has changed."""
        self._cluster, self._note = cluster, note
        self._listening = socket.socket(socket.AF_UNIX)
        with _short(directory) as short:
            self._listening.bind(f"{short}/{_SOCKET}")
        self._listening.listen()

    def __enter__(self) -> Self:
        """Begin to answer."""
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Answer no more."""
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                asking, _ = self._listening.accept()
            except OSError:
                return
            with asking, suppress(OSError, ValueError), asking.makefile("rw") as stream:
                answer = self._answer(json.loads(stream.readline()))
                stream.write(json.dumps(answer) + "\n")

    def _answer(self, asked: Mapping[str, str]) -> dict[str, Any]:
        try:
            told = self._do(asked["do"], asked["to"])
        except (ClusterError, OSError) as error:
            return {"error": str(error), "status": getattr(error, "status", 1)}
        self._note()
        return {"told": told}

    def _do(self, verb: str, to: str) -> list[str]:
        cluster = self._cluster
        match verb:
            case "off":
                cluster.power_off(to)
            case "on":
                cluster.power_on(to)
            case "cut" if to in cluster.nodes:
                net.unplug(to)
            case "heal" if to in cluster.nodes:
                net.plug(to)
            case "load":
                cluster.load(Path(to))
            case "inside":
                return cluster.inside(to)
            case _:
                raise ClusterError(f"{to}: not among {', '.join(cluster.nodes)}", EX_USAGE)
        return []


def ask(directory: Path, verb: str, to: str) -> list[str]:
    """Ask the supervisor of the cluster in *directory*; return what it tells."""
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            with _short(directory) as short:
                asking.connect(f"{short}/{_SOCKET}")
        except OSError:
            raise ClusterError(f"no cluster with nodes is up in {directory}", EX_USAGE) from None
        with asking.makefile("rw") as stream:
            stream.write(json.dumps({"do": verb, "to": to}) + "\n")
            stream.flush()
            answer: dict[str, Any] = json.loads(stream.readline() or '{"error": "it ended"}')
    if "error" in answer:
        raise ClusterError(answer["error"], answer.get("status", 1))
    told: list[str] = answer["told"]
    return told


@contextmanager
def _short(directory: Path) -> Any:
    """Yield a short path to *directory*: that of a unix socket may have 108 bytes."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
