"""The units are what systemd understands, and start what bgpd has."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import typer

from bgpd.ctl import daemon
from bgpd.exabgp.launcher import TERM_SECONDS
from tests.examples.sets import ROOT
from tests.examples.units import (
    FOLDER,
    UNITS,
    environment,
    line,
    path_of,
    settings,
    variables_of_the_file,
)
from tests.lacking import lacking

PAGE: Final = ROOT / "docs" / "standalone.md"
SAME: Final = {
    "User": "bgpd",
    "Restart": "always",
    "StartLimitIntervalSec": "0",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "RestrictNamespaces": "yes",
    "LimitNOFILE": "16384",
    "LimitCORE": "0",
    "EnvironmentFile": "-/etc/bgpd/bgpd.env",
}
CAPABILITIES: Final = {
    "speaker": "CAP_SYS_NICE CAP_NET_RAW",
    "agent": "CAP_NET_ADMIN",
    "controller": "",
}


def options(unit: str) -> tuple[set[str], set[str]]:
    """Return the options that a command has, and the variables that stand for them."""
    program = typer.main.get_command(daemon.app)
    command = program.commands[unit]  # type: ignore[attr-defined]
    names = {name for one in command.params for name in one.opts}
    return names, {str(one.envvar) for one in command.params if one.envvar}


@pytest.fixture(name="installed")
def _installed(tmp_path: Path) -> Path:
    """Return copies of the units that name the bgpd of this checkout."""
    ours = Path(sys.executable).parent / "bgpd"
    for unit in UNITS:
        text = path_of(unit).read_text().replace("/usr/local/bin/bgpd", str(ours))
        (tmp_path / path_of(unit).name).write_text(text)
    return tmp_path


def analyzed(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze, which needs no systemd that runs."""
    if not shutil.which("systemd-analyze"):
        lacking("systemd-analyze is not installed", unproven="that systemd takes the units")
    return subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60
    )


def test_systemd_finds_nothing_wrong_in_them(installed: Path) -> None:
    """Neither an unknown setting nor a value that it cannot read."""
    done = analyzed("verify", "--man=no", "--recursive-errors=yes", *sorted(installed.iterdir()))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_would_say_if_something_were_wrong(installed: Path) -> None:
    """A misspelled setting is found, so the test above can fail."""
    broken = installed / "bgpd-agent.service"
    broken.write_text(broken.read_text().replace("ProtectHome=", "ProtectHouse="))
    done = analyzed("verify", "--man=no", "--recursive-errors=yes", broken)
    assert "ProtectHouse" in done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_what_a_process_that_is_broken_into_could_do_is_little(installed: Path, unit: str) -> None:
    """Systemd's own measure, from 0 to 10: nothing of ours is above 4."""
    unit_file = installed / path_of(unit).name
    done = analyzed("security", "--offline=yes", "--threshold=40", unit_file)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_starts_its_process_with_options_that_exist(unit: str) -> None:
    """On the line, in its environment, and in the file of settings."""
    program, command, *words = line(unit)
    assert (program, command) == ("/usr/local/bin/bgpd", unit)
    names, variables = options(unit)
    assert {word.partition("=")[0] for word in words} <= names
    assert environment(unit).keys() <= variables


def test_each_setting_of_the_file_is_one_of_a_process() -> None:
    """And what the units set by themselves can be said otherwise there."""
    every = set().union(*(options(unit)[1] for unit in UNITS))
    assert variables_of_the_file().keys() <= every
    for unit in UNITS:
        assert environment(unit).items() <= variables_of_the_file().items()


@pytest.mark.parametrize("unit", UNITS)
def test_all_are_confined_and_come_back(unit: str) -> None:
    """They are started again however they end, and may write to their own directories alone."""
    assert {name: settings(unit, name)[0] for name in SAME} == SAME
    assert settings(unit, "CapabilityBoundingSet") == [CAPABILITIES[unit]]
    assert set(settings(unit, "AmbientCapabilities")) <= {CAPABILITIES[unit]}


@pytest.mark.parametrize("unit", ["speaker", "agent"])
def test_the_end_of_one_leaves_the_other_its_socket(unit: str) -> None:
    """Both use the directories; systemd would remove the one in /run with either of them."""
    assert settings(unit, "StateDirectory") == ["bgpd"]
    assert settings(unit, "RuntimeDirectory") == ["bgpd"]
    assert settings(unit, "RuntimeDirectoryPreserve") == ["yes"]
    assert "--run-dir=/run/bgpd" in line(unit)
    assert "--state-dir=/var/lib/bgpd" in line(unit)


def test_the_speaker_has_time_to_lead_its_traffic_away() -> None:
    """Only ExaBGP hears SIGTERM, and SIGKILL comes after it would have ended by itself."""
    assert settings("speaker", "KillMode") == ["mixed"]
    assert int(settings("speaker", "TimeoutStopSec")[0]) > TERM_SECONDS
    assert "bgpd-speaker.service" in settings("agent", "After")[0]


def test_the_page_installs_every_file_there_is() -> None:
    """A new file is either in docs/standalone.md or nobody's."""
    named = set(re.findall(r"packaging/systemd/([\w.-]+)", PAGE.read_text()))
    assert named == {path.name for path in FOLDER.iterdir()}
