"""The lab's client, outside of a real cluster: many flows, measured where answers arrive."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from tests.cluster.error import ClusterError
from tests.cluster.nodecluster import NodeCluster

_PROGRAM: Final = Path(__file__).parents[1] / "lab" / "traffic.py"
_FLOWS: Final = 24
_CONNECTIONS: Final = 4


class Client:
    """Sends from `with` until `record` or the end of it."""

    def __init__(self, cluster: NodeCluster, address: str, port: int) -> None:
        """Send to *address*; each flow has a source port of its own, and so a next hop."""
        self._cluster = cluster
        self._spec = cluster.directory / "traffic.json"
        self._record = cluster.directory / "record.json"
        flow = {"address": address, "port": port}
        udp = [{**flow, "source_port": 20000 + number * 1021} for number in range(_FLOWS)]
        self._spec.write_text(json.dumps({"udp": udp, "tcp": [flow] * _CONNECTIONS}))

    def __enter__(self) -> Self:
        """Start, and wait until every flow has heard something."""
        words = [sys.executable, "-S", "-E", str(_PROGRAM), str(self._spec), str(self._record)]
        self._process = subprocess.Popen(
            [*self._cluster.inside("client"), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != b"ready":
            self.__exit__()
            raise ClusterError("the client heard nothing on some flows")
        return self

    def record(self) -> Mapping[str, Any]:
        """Stop sending, wait for the last answers, and return what was seen."""
        self._process.communicate(b"stop\n", timeout=60)
        record: Mapping[str, Any] = json.loads(self._record.read_text())
        return record

    def __exit__(self, *_: object) -> None:
        """End."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
