"""Facts about the page of options: nothing that a process takes is left out."""

from typing import Any, cast

import pytest
import typer

from bgpd.ctl import daemon
from bgpd.ctl.configurationpage import page


def rows() -> dict[str, list[str]]:
    """Return the cells of each option's row, by the option."""
    lines = [line for line in page().splitlines() if line.startswith("| `--")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {one[0].strip("`"): one[1:] for one in cells}


@pytest.mark.parametrize("process", ["speaker", "agent", "controller"])
def test_every_option_of_a_process_has_a_row_that_names_it(process: str) -> None:
    """With its environment variable; `--help` alone has none."""
    root = cast("Any", typer.main.get_command(daemon.app))
    found = rows()
    for one in root.commands[process].params:
        variable, _, processes, meaning = found[one.opts[0]]
        assert variable == f"`{one.envvar}`"
        assert process in processes.split(", ")
        assert meaning


@pytest.mark.parametrize(
    ("option", "default"),
    [
        pytest.param("--node", "the host name", id="one that is found out"),
        pytest.param("--cluster-uid", "required", id="one that nobody can guess"),
        pytest.param("--ignore-exclude-lb", "off", id="a switch"),
        pytest.param("--metrics-tls-cert", "none", id="one that may be missing"),
        pytest.param("--log-level", "`info`", id="one of several words"),
        pytest.param("--run-dir", "`/run/bgpd`", id="the same of all"),
        pytest.param(
            "--metrics-address",
            "`127.0.0.1:7180` (speaker); `127.0.0.1:7181` (agent); `127.0.0.1:7182` (controller)",
            id="each process has its own",
        ),
    ],
)
def test_a_default_is_what_holds_where_nothing_is_said(option: str, default: str) -> None:
    """In words where the value alone says nothing."""
    assert rows()[option][1] == default
