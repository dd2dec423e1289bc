"""The script for nodes without Python enters the speaker's container, and spares other files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bgpd.ctl import wrapper
from bgpd.model.errors import ConfigError

ROOT = Path(__file__).parents[2]
_CRICTL = """#!/bin/sh
echo "$*" >> "$LOG"
[ "$1" = ps ] && { [ -n "$FOUND" ] && echo "$FOUND"; exit 0; }
exit 3
"""


def called(directory: Path, *words: str, found: str) -> subprocess.CompletedProcess[str]:
    """Run the script beside a crictl that notes what it is asked."""
    crictl = directory / "crictl"
    crictl.write_text(_CRICTL)
    crictl.chmod(0o755)
    path = f"{directory}:{os.environ['PATH']}"
    environment = {"PATH": path, "LOG": str(directory / "log"), "FOUND": found}
    return subprocess.run(
        [directory / wrapper.NAME, *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_bgpctl_runs_in_the_container_with_its_words_and_its_exit_status(tmp_path: Path) -> None:
    """Words with blanks stay words; a script sees 3 for a node that is degraded."""
    wrapper.write(tmp_path, "bgpd-system")
    done = called(tmp_path, "explain", "a b", "-o", "json", found="c0ffee")
    assert done.returncode == 3
    asked, ran = (tmp_path / "log").read_text().splitlines()
    assert "--label io.kubernetes.pod.namespace=bgpd-system --name ^speaker$" in asked
    assert ran == "exec --interactive c0ffee bgpctl explain a b -o json"


def test_without_a_speaker_it_says_so(tmp_path: Path) -> None:
    """The exit status is that of a node that is down."""
    wrapper.write(tmp_path, "bgpd-system")
    done = called(tmp_path, "status", found="")
    assert done.returncode == 4
    assert done.stderr.startswith("bgpctl: no speaker runs on this node")


def test_it_is_written_anew_and_nothing_of_others_is_touched(tmp_path: Path) -> None:
    """OpenBGPD's tool is called bgpctl, too."""
    wrapper.write(tmp_path, "one")
    wrapper.write(tmp_path, "two")
    assert "namespace=two" in (tmp_path / wrapper.NAME).read_text()
    assert [one.name for one in tmp_path.iterdir()] == [wrapper.NAME]
    (tmp_path / wrapper.NAME).write_text("theirs")
    with pytest.raises(ConfigError, match="somebody else's"):
        wrapper.write(tmp_path, "three")
    assert (tmp_path / wrapper.NAME).read_text() == "theirs"


def test_a_directory_that_cannot_be_written_to_keeps_no_pod_from_starting(tmp_path: Path) -> None:
    """The command says what to name instead, and ends well."""
    state = tmp_path / "state"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bgpd.ctl.daemon", "host", "prepare"),
            *(f"--user={os.geteuid() or 1}", f"--wrapper={tmp_path / 'missing'}", str(state)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "name a directory of root" in done.stderr
    assert state.is_dir()
