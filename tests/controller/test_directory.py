"""A directory with a controller: what is written into its files, and by whom."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from bgpd.agent.planner import Planner
from bgpd.kube.documents import read
from bgpd.kube.store import Changes, Store
from bgpd.model.member import NodeName

README = Path(__file__).parents[2] / "README.md"
PATIENCE = 30.0
POOL = {
    "apiVersion": "bgpd.io/v1alpha1",
    "kind": "IPAddressPool",
    "metadata": {"name": "p"},
    "spec": {"addresses": ["192.0.2.0/30"]},
}
WEB = """\
# The shop.
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  type: LoadBalancer  # from the pool
  ports: [{{port: 80}}]
"""


@contextmanager
def controller(directory: Path, name: str = "log") -> Iterator[subprocess.Popen[bytes]]:
    """Run a controller over *directory*."""
    line = [sys.executable, "-m", "bgpd.controller", f"--source=directory:{directory}"]
    with (directory.parent / name).open("wb") as log:
        process = subprocess.Popen(line, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(fact: Callable[[], bool], what: str) -> None:
    """Return when *fact* holds."""
    end = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def addresses(path: Path) -> list[str]:
    """Return the addresses of all Services of a file."""
    found: list[Any] = list(yaml.safe_load_all(path.read_text()))
    statuses = [one.get("status") or {} for one in found if one and one["kind"] == "Service"]
    entries = [(one.get("loadBalancer") or {}).get("ingress") or [] for one in statuses]
    return [one["ip"] for entry in entries for one in entry]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory with a pool in it."""
    directory = tmp_path / "config"
    directory.mkdir()
    (directory / "pool.yaml").write_text(yaml.safe_dump(POOL))
    return directory


def test_services_in_files_get_addresses(place: Path) -> None:
    """Each file keeps its text, and a Service that comes or goes later is seen."""
    one, two = place / "one.yaml", place / "two.yaml"
    one.write_text(WEB.format(name="a") + "---\n" + WEB.format(name="b"))
    with controller(place) as process:
        until(lambda: len(addresses(one)) == 2, "two Services have no addresses")
        assert addresses(one) == ["192.0.2.0", "192.0.2.1"]
        assert one.read_text().count("# The shop.") == 2
        assert "type: LoadBalancer  # from the pool" in one.read_text()
        two.write_text("".join(WEB.format(name=name) + "---\n" for name in "cde"))
        until(lambda: len(addresses(two)) == 2, "the pool was not used up")
        one.write_text(WEB.format(name="a"))
        until(lambda: len(addresses(two)) == 3, "a free address was not given")
        assert sorted(addresses(two)) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert {path.name for path in place.iterdir() if not path.name.startswith(".")} == {
        "one.yaml",
        "two.yaml",
        "pool.yaml",
    }


def test_a_file_stays_with_its_owner(place: Path) -> None:
    """Whoever may edit a file before an address is written into it may do so afterwards."""
    one = place / "one.yaml"
    one.write_text(WEB.format(name="a"))
    one.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(one, 65534, 65534)
    # What a crash left: a link to what is no business of the controller's.
    other = place.parent / "other"
    other.write_text("theirs")
    (place / ".one.yaml.bgpd").symlink_to(other)
    before = one.stat()
    with controller(place):
        until(lambda: addresses(one) == ["192.0.2.0"], "no address")
    after = one.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert other.read_text() == "theirs"


def test_only_one_of_two_controllers_writes(place: Path) -> None:
    """The other one says that it waits, and works on when the first is gone."""
    (place / "one.yaml").write_text(WEB.format(name="a"))
    with controller(place, "first") as first:
        until(lambda: addresses(place / "one.yaml") == ["192.0.2.0"], "no address")
        with controller(place, "second"):
            log = place.parent / "second"
            until(lambda: "StandingBy" in log.read_text(), "the second does not say that it waits")
            first.kill()
            first.wait()
            (place / "two.yaml").write_text(WEB.format(name="b"))
            until(lambda: addresses(place / "two.yaml") == ["192.0.2.1"], "nobody took over")
    assert addresses(place / "one.yaml") == ["192.0.2.0"]


def test_a_directory_that_cannot_be_written_ends_the_start(tmp_path: Path) -> None:
    """A sentence and exit status 78: a person has to change something."""
    missing = tmp_path / "missing"
    line = [sys.executable, "-m", "bgpd.controller", f"--source=directory:{missing}"]
    done = subprocess.run(line, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 78
    assert "bgpd controller: directory" in done.stderr.decode()


def test_the_commands_of_the_readme_advertise_one_elastic_ip(tmp_path: Path) -> None:
    """The example needs nothing but a controller for node n1 to start and to want a route."""
    text = README.read_text()
    assert "bgpd controller --source directory:/etc/bgpd/documents\n" in text
    assert "bgpd agent --node n1 --source directory:/etc/bgpd/documents " in text
    directory = tmp_path / "documents"
    shutil.copytree(README.parent / "config" / "example", directory)
    with controller(directory):
        until(lambda: bool(addresses(directory / "service.yaml")), "the Service has no address")
    store = Store()
    for path in sorted(directory.glob("*.yaml")):
        store.apply(path.name, read(path.name, path.read_bytes()))
    planner = Planner(node=NodeName("n1"), cluster_uid="prod")
    planner.configure(Changes(), store.objects, {})
    desired = planner.desired()
    assert desired is not None
    assert [(one.peer, str(one.prefix)) for one in desired.advertisements] == [
        ("tor", "203.0.113.10/32")
    ]
    assert planner.conditions == ()
    assert planner.withheld == ()


def test_a_pool_that_vanished_is_told_with_what_helps_here(place: Path) -> None:
    """A person is sent to a restart: `bgpctl accept` speaks to agents alone."""
    (place / "web.yaml").write_text(WEB.format(name="web"))
    log = place.parent / "log"
    with controller(place):
        until(lambda: addresses(place / "web.yaml") == ["192.0.2.0"], "no address")
        (place / "pool.yaml").unlink()
        until(lambda: "ConfigurationVanished" in log.read_text(), "nothing was said")
    assert "until the controller is restarted" in log.read_text()
    assert "bgpctl" not in log.read_text()


def test_a_pool_that_overlaps_gives_nothing_and_is_named(place: Path) -> None:
    """Agents refuse the same pool: what it gives would not be routed."""
    log = place.parent / "log"
    other = {**POOL, "metadata": {"name": "o"}, "spec": {"addresses": ["192.0.2.0/24"]}}
    with controller(place):
        (place / "web.yaml").write_text(WEB.format(name="web"))
        until(lambda: addresses(place / "web.yaml") == ["192.0.2.0"], "no address")
        (place / "other.yaml").write_text(yaml.safe_dump(other))
        until(lambda: "IPAddressPool o: 192.0.2.0/24 overlaps" in log.read_text(), "not refused")
        names = "abcd"
        for name in names:
            (place / f"{name}.yaml").write_text(WEB.format(name=name))
        until(lambda: "AddressesLacking" in log.read_text(), "the pool was not used up")

        def given() -> list[str]:
            return [one for name in names for one in addresses(place / f"{name}.yaml")]

        # It says so while the last of those who had one are still being written.
        until(lambda: len(given()) == 3, "an address was not written")
    assert sorted(given()) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
