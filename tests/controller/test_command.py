"""What `bgpd controller` checks, and what it becomes."""

import asyncio
from pathlib import Path

import pytest

from tests.ctl.fakes import bgpd
from tests.ctl.test_daemon import become


def test_it_becomes_the_controller(tmp_path: Path) -> None:
    """The process that the supervisor started is the controller itself."""
    words = asyncio.run(
        become(
            tmp_path,
            "controller",
            f"--source=directory:{tmp_path}",
            "--load-balancer-class=example.org/bgpd",
        )
    )
    assert words == [
        "-m",
        "bgpd.controller",
        f"--source=directory:{tmp_path}",
        "--load-balancer-class=example.org/bgpd",
        "--log-level=info",
        "--log-format=auto",
        "--metrics-address=127.0.0.1:7182",
    ]


@pytest.mark.parametrize(
    ("source", "status", "sentence"),
    [
        pytest.param("directory:/nowhere", 78, "/nowhere is not a directory", id="no directory"),
        pytest.param("etcd:", 78, "'etcd:' is not known", id="no such source"),
        pytest.param("kubernetes:/nowhere", 78, "no such file", id="no kubeconfig"),
    ],
)
def test_a_source_that_cannot_be_is_a_sentence(source: str, status: int, sentence: str) -> None:
    """A person has to change it, so nothing starts."""
    done = asyncio.run(bgpd("controller", f"--source={source}"))
    assert done.status == status
    assert sentence in done.errors
