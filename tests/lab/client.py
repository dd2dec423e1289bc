"""The client of a lab while it sends: which flows it has, and the process that has them."""

import json
import subprocess
import sys
from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Any

from tests.lab.nodes import HERE
from tests.lab.plan import ECHO_PORT, LabError, Plan
from tests.lab.topology import inside

if TYPE_CHECKING:
    from tests.lab.run import Lab

UDP_FLOWS = 12
TCP_CONNECTIONS = 4


class Traffic:
    """The client process while it sends."""

    def __init__(self, lab: "Lab", seed: int, attempt: int, *, connects: bool = False) -> None:
        """Start sending; the seed decides the source ports and so the router's hash."""
        self.record = lab.directory / f"traffic-{seed}-{attempt}.json"
        spec = lab.directory / "traffic.json"
        flows = traffic_spec(lab.plan, seed, attempt)
        lab.flows = flows["udp"]
        if connects:
            flows |= {"short": [flow["address"] for flow in flows["udp"]]}
        spec.write_text(json.dumps(flows))
        self.process = subprocess.Popen(
            [*inside("client"), sys.executable, "-S", "-E", str(HERE / "traffic.py"),
             str(spec), str(self.record)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() != b"ready":
            raise LabError(f"the client heard nothing; see {lab.directory}")

    def stop(self) -> Mapping[str, Any]:
        """Stop sending, wait for the last answers, return the record."""
        self.process.communicate(b"stop\n", timeout=60)
        record: Mapping[str, Any] = json.loads(self.record.read_text())
        self.record.unlink()
        return record

    def abort(self) -> None:
        """End the client where its record does not matter any more."""
        self.process.kill()
        self.process.communicate()


def traffic_spec(plan: Plan, seed: int, attempt: int) -> dict[str, Any]:
    """Return the flows: spread over Services and families, other source ports for each seed."""
    versions = plan.family.versions
    udp = [
        {
            "address": plan.elastic_ip(i // len(versions) % plan.services + 1, version),
            "port": ECHO_PORT,
            "source_port": 20000 + (seed * 389 + attempt * 7919 + i * 1021) % 40000,
        }
        for i, version in zip(range(UDP_FLOWS), cycle(versions), strict=False)
    ]
    tcp = [
        {"address": plan.elastic_ip(i % plan.services + 1, versions[0]), "port": ECHO_PORT}
        for i in range(TCP_CONNECTIONS)
    ]
    return {"udp": udp, "tcp": tcp}
