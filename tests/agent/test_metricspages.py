"""An agent as a process: what a scraper and the kubelet hear from it, from its start on."""

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bgpd.telemetry.catalog import exposed_by
from bgpd.telemetry.metric import Process
from tests.agent.test_planner import CONFIGURATION, endpoints, service
from tests.agent.test_start import PATIENCE, command, write
from tests.lab.samples import backwards, counts, gauges, read, value

DOCUMENTS = (*CONFIGURATION, service("web", "203.0.113.10"), endpoints("web", "n1"))


def free_port() -> int:
    """Return a port of this host that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def get(port: int, path: str) -> tuple[int, str]:
    """Return status and body of a page, as soon as the process serves any."""
    end = time.monotonic() + PATIENCE
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except ConnectionError:
            assert time.monotonic() < end, "nobody serves metrics"
            time.sleep(0.05)
        finally:
            connection.close()


@contextmanager
def agent(directory: Path, *options: str) -> Iterator[int]:
    """Run an agent; give the port of its metrics."""
    port = free_port()
    write(directory / "documents", *DOCUMENTS)
    line = [*command(directory), f"--metrics-address=127.0.0.1:{port}", *options]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL) as process:
        try:
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE)


def until_decided(port: int) -> str:
    """Return the metrics once the agent has decided."""
    end = time.monotonic() + PATIENCE
    while True:
        _, text = get(port, "/metrics")
        if value(read(text), "bgpd_last_successful_reconcile_timestamp_seconds"):
            return text
        assert time.monotonic() < end, text
        time.sleep(0.05)


def test_an_agent_shows_all_its_metrics_and_says_what_it_lacks(tmp_path: Path) -> None:
    """It works and it has read everything; without a speaker it is not ready."""
    with agent(tmp_path) as port:
        before = read(until_decided(port))
        assert before.keys() == {one.name for one in exposed_by(Process.AGENT)}
        assert value(before, "bgpd_source_synced") == 1
        assert value(before, "bgpd_speaker_connected") == 0
        assert gauges(before, "bgpd_documents", "state")["InForce"] >= 3
        decided = before["bgpd_reconcile_duration_seconds"]
        assert decided.series["bgpd_reconcile_duration_seconds_count", ()] >= 1
        assert len(before["bgpd_elastic_ip_healthy"].series) == 1
        assert get(port, "/livez")[0] == 200
        code, text = get(port, "/readyz?verbose")
        assert code == 503
        assert "[+]configuration ok" in text
        assert "[+]source ok" in text
        assert "[-]speaker failed: the speaker cannot be reached" in text
        after = read(get(port, "/metrics")[1])
        assert backwards(dict(counts(before)), counts(after)) == []


def test_the_number_of_elastic_ips_with_series_is_an_option(tmp_path: Path) -> None:
    """None where none may have any."""
    with agent(tmp_path, "--metrics-elastic-ips=0") as port:
        found = read(until_decided(port))
        assert value(found, "bgpd_elastic_ip_series") == 0
        assert not found["bgpd_elastic_ip_healthy"].series


def test_an_agent_whose_metrics_port_is_taken_works_without_it(tmp_path: Path) -> None:
    """It is a condition, and tried again: the port is served when its owner has gone."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        write(tmp_path / "documents", *DOCUMENTS)
        line = [*command(tmp_path), f"--metrics-address=127.0.0.1:{port}"]
        with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            said = ""
            while "metrics_not_served" not in said:
                said = process.stderr.readline()
                assert said, "the agent ended"
            assert f"127.0.0.1:{port}" in said
            taken.close()
            assert get(port, "/livez")[0] == 200
            process.terminate()
            process.communicate(timeout=PATIENCE)


def test_a_bad_address_is_a_sentence_before_anything_starts(tmp_path: Path) -> None:
    """78: a person has to change it."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bgpd.ctl.daemon", "agent", "--metrics-address", "here"),
            *("--source", f"directory:{tmp_path}", "--cluster-uid", "c"),
            *("--run-dir", str(tmp_path), "--state-dir", str(tmp_path)),
        ],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 78, done.stderr
    assert "--metrics-address" in done.stderr
