"""The examples of docs/health.md are documents that the agent takes, one of each kind."""

import re
from pathlib import Path

from bgpd.kube.documents import read
from bgpd.model.health import DNS, GRPC, NTP, Exec, HealthCheck, HTTPGet, TCPSocket

_PAGE = Path(__file__).parents[2] / "docs" / "health.md"


def test_every_example_is_taken() -> None:
    """Each block of YAML is one HealthCheck without a complaint, and no kind is missing."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL)
    kinds = set()
    for block in blocks:
        documents = read("docs/health.md", block.encode())
        assert not documents.problems, documents.problems
        (check,) = documents.objects.values()
        assert isinstance(check, HealthCheck)
        kinds.add(type(check.probe))
    assert kinds == {HTTPGet, TCPSocket, DNS, NTP, GRPC, Exec}
