"""The command line refuses wrong usage in one sentence and with status 2."""

import os
import re
import signal
import subprocess
import sys

import pytest

from tests.lab import world
from tests.lab.__main__ import main, order
from tests.lab.faults import FAULTS
from tests.lab.nodes import ROOT
from tests.lab.plan import LabError


def lab(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the lab's command line as a person does."""
    return subprocess.run(
        [sys.executable, "-m", "tests.lab", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param("run thunder", "there is no fault 'thunder'", id="an unknown fault"),
        pytest.param("run power-loss --router cisco", "invalid choice", id="an unknown router"),
        pytest.param(
            "run power-loss --nodes 2", "--nodes 2: must be between 3", id="too few nodes"
        ),
        pytest.param("run two-nodes --nodes 4", "must be between 5", id="two of five need five"),
        pytest.param("run power-loss --hold 2", "--hold 2: must be between 3", id="hold below 3 s"),
        pytest.param("run power-loss --services 0", "--services 0", id="no Services"),
        pytest.param("run power-loss --repeat 0", "--repeat 0", id="no repetition"),
        pytest.param(
            "run power-loss --json /nowhere/x.json", "cannot be written", id="no place for figures"
        ),
        pytest.param(
            "run idle --router frr --zebra-work-queue 10001", "10001: must be", id="too long a hold"
        ),
        pytest.param(
            "run idle --zebra-work-queue 0", "a setting of FRR", id="zebra's hold on another router"
        ),
        pytest.param("run api-kill", "api-kill is about an API server", id="no server to kill"),
        pytest.param("run idle --outage 9", "--outage is about an API", id="an outage of files"),
        pytest.param(
            "run api-kill --source kubernetes --outage 1", "--outage 1: must be", id="too short"
        ),
        pytest.param(
            "run idle --source kubernetes --services 2001",
            "--services 2001: must be between 1 and 2000",
            id="more than a server has ports",
        ),
        pytest.param(
            "run power-loss --provider packet --services 11",
            "--services 11: must be between 1 and 10",
            id="more than a provider takes",
        ),
        pytest.param(
            "run password-rotated --provider vultr",
            "password-rotated is about --provider packet",
            id="a fault of another provider",
        ),
        pytest.param(
            "run power-loss --provider packet --routers 2",
            "--provider brings its own routers",
            id="other routers than a provider has",
        ),
        pytest.param(
            "run power-loss-bfd --provider packet",
            "which speak BGP alone",
            id="BFD where a provider has none",
        ),
        pytest.param(
            "run power-loss --provider linode --router frr", "needs bird", id="Linode with FRR"
        ),
        pytest.param(
            "run power-loss --provider linode --family v6", "--family v4", id="Linode in IPv6"
        ),
        pytest.param("exec n1", "nothing to run", id="nothing to execute"),
        pytest.param("down --name ../x", "letters, digits", id="a name that is a path"),
        pytest.param("down --name nobody_has_this", "no lab named", id="a lab that is not up"),
        pytest.param(
            "run power-loss --router gobgp", "forwards no packets", id="a flow fault on GoBGP"
        ),
        pytest.param(
            "run link-down --router openbgpd", "forwards no packets", id="a flow fault on OpenBGPD"
        ),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(words: str, sentence: str) -> None:
    """Nothing is started, and the sentence names what was wrong."""
    with pytest.raises(LabError, match=re.escape(sentence)) as refused:
        main(words.split())
    assert refused.value.status == 2
    assert "\n" not in str(refused.value)


def test_a_refusal_reaches_the_terminal_without_a_traceback() -> None:
    """One line on stderr, nothing on stdout, status 2."""
    done = lab("run", "power-loss", "--router", "gobgp")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_the_list_of_faults_has_a_sentence_for_each() -> None:
    """`scripts/lab faults` shows every fault once, and fits a terminal."""
    lines = lab("faults").stdout.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(FAULTS)
    words = " ".join(" ".join(lines).split())
    assert all(f"{fault.name} {fault.sentence}" in words for fault in FAULTS.values())
    assert max(map(len, lines)) <= 80


def test_a_reader_that_has_read_enough_ends_the_lab_in_silence() -> None:
    """`scripts/lab faults | head -1` shows no traceback."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab", "faults"],
        cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True, timeout=30, check=False,
    )  # fmt: skip
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        pytest.param("junk", "'junk': no order; write a line like", id="no JSON"),
        pytest.param("[1]", "no order", id="no object"),
        pytest.param('{"fault": "idle", "seed": "x"}', "no order", id="a seed that is no number"),
        pytest.param('{"fault": "nope"}', "there is no fault 'nope'", id="no fault of that name"),
        pytest.param("{}", "there is no fault 'None'", id="no fault at all"),
    ],
)
def test_an_order_that_is_none_is_refused_in_a_sentence(line: str, sentence: str) -> None:
    """Whoever feeds `serve` by hand hears what it wants."""
    with pytest.raises(LabError, match=re.escape(sentence)):
        order(line)
    assert order('{"fault": "idle"}') == (FAULTS["idle"], 1)


def test_the_help_tells_defaults_and_exit_statuses_and_not_the_tests_entry() -> None:
    """What a stranger asks first is in `--help`."""
    run, top = lab("run", "--help").stdout, lab("--help").stdout
    for default in ("(bird)", "(3, or as", "(12)", "(1)", "(90)", "(v4)", "(systemd)"):
        assert default in run
    assert "exit status: 0 done" in run
    assert "exit status: 0 done" in top
    assert "serve" not in top


def test_where_no_world_can_be_made_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without unshare the lab ends with status 78 and names both ways out."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LabError, match="run it as root") as refused:
        world.unshare_command()
    assert refused.value.status == 78
