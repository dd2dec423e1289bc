"""What of a node's health outlives the agent: in the same boot everything, after another little."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from bgpd.agent.boot import FILE_NAME, BootMemory, Health, boot_id
from bgpd.model.prefix import Prefix
from bgpd.policy.startup import Boot

KEPT = Health(
    opened=True,
    heard=("kube-proxy", "kubelet"),
    missed=("old",),
    doubted={"kubelet": "refused"},
    busy=(Prefix("203.0.113.1/32"),),
    withheld={"default/web": {"default/alive": "it hung"}},
)


def memory(directory: Path | None, boot: str = "one", origin: str = "here") -> BootMemory:
    """Return the memory of an agent that runs in *boot*."""
    return BootMemory(directory, origin=origin, boot=boot)


@pytest.mark.parametrize(
    ("kept", "boot", "expected"),
    [
        pytest.param(KEPT, "one", Boot.SAME, id="the same boot"),
        pytest.param(KEPT, "two", Boot.ANOTHER, id="another boot"),
        pytest.param(KEPT, "", Boot.SAME, id="nobody knows which boot this is"),
        pytest.param(Health(opened=False), "one", Boot.ANOTHER,
                     id="a start that an agent before us did not finish"),
        pytest.param(None, "one", Boot.FIRST, id="nothing is remembered"),
    ],
)  # fmt: skip
def test_whose_boot_it_is(tmp_path: Path, kept: Health | None, boot: str, expected: Boot) -> None:
    """By the kernel's ID; what is not known is the same, because that withdraws nothing."""
    if kept is not None:
        memory(tmp_path).remember(kept)
    assert memory(tmp_path, boot).recall(known=False).boot is expected


def test_in_the_same_boot_all_of_it_holds(tmp_path: Path) -> None:
    """Nobody but us may read it."""
    memory(tmp_path).remember(KEPT)
    found = memory(tmp_path).recall(known=True)
    assert (found.heard, found.missed) == (KEPT.heard, KEPT.missed)
    assert (found.doubted, found.withheld) == (KEPT.doubted, KEPT.withheld)
    assert found.busy == KEPT.busy
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_after_another_boot_what_was_heard_is_missed(tmp_path: Path) -> None:
    """And what was missed all through that boot is forgotten: it went for good."""
    memory(tmp_path).remember(KEPT)
    found = memory(tmp_path, "two").recall(known=True)
    assert (found.heard, found.missed) == ((), KEPT.heard)
    assert not found.doubted
    assert found.busy is None
    assert not found.withheld


def test_an_agent_that_kept_no_such_file_was_here_all_the_same(tmp_path: Path) -> None:
    """After an upgrade its routes are on the wire: they stay."""
    assert memory(tmp_path).recall(known=True).boot is Boot.SAME


def test_without_a_directory_nobody_knows_of_a_boot() -> None:
    """So nothing waits, and nothing is written."""
    found = memory(None)
    found.remember(KEPT)
    assert found.recall(known=False).boot is Boot.SAME


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("{", id="half a file"),
        pytest.param('{"version": 2}', id="a file of a later version"),
        pytest.param('{"version": 1, "origin": "elsewhere"}', id="a file of another node"),
        pytest.param('{"withheld": {"a": 1}}', id="values of another type"),
    ],
)
def test_a_file_that_cannot_be_used_says_nothing(tmp_path: Path, content: str) -> None:
    """That is a line in the log, and no boot."""
    (tmp_path / FILE_NAME).write_text(content)
    found = memory(tmp_path)
    assert found.recall(known=False).boot is Boot.SAME
    assert len(found.problems) == 1


def test_only_what_is_new_is_written(tmp_path: Path) -> None:
    """It is offered each second; a write that failed is tried again."""
    written: list[Any] = []
    found = BootMemory(tmp_path, origin="here", boot="one", submit=written.append)
    found.remember(KEPT)
    found.remember(KEPT)
    assert len(written) == 1
    assert json.loads(b"".join(written[0].content()))["boot"] == "one"
    written[0].done("No space left on device")
    assert found.problems
    found.remember(KEPT)
    assert len(written) == 2
    written[1].done("No space left on device")
    assert len(found.problems) == 1, "a disk that stays full is one line"


def test_the_kernel_tells_its_boots_apart() -> None:
    """It says the same as long as it runs."""
    assert len(boot_id()) == 36
    assert boot_id() == boot_id()
