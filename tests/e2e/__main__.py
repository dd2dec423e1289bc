"""The command line: `scripts/e2e install` does on a real cluster what a user does."""

import argparse
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tests.bench.page import circumstances
from tests.cluster import net
from tests.cluster.binaries import NODES, version
from tests.cluster.build import build as build_programs
from tests.cluster.error import EX_USAGE, ClusterError
from tests.cluster.nodecluster import NodeCluster, check_machine
from tests.cluster.relay import Relay
from tests.e2e.helm import ROOT, Helm
from tests.e2e.report import Finding, page, table
from tests.e2e.stage import Say
from tests.e2e.story import VALUES, Story, prepare
from tests.image.build import build as build_image
from tests.image.error import ImageError

PLACE: Final = ROOT / "build" / "e2e"
PAGE: Final = ROOT / "docs" / "measurements-helm.md"
_NODES: Final = 3
_ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def parser() -> argparse.ArgumentParser:
    """Return the parser of `scripts/e2e`."""
    top = argparse.ArgumentParser(
        prog="scripts/e2e", description="bgpd on a real cluster, from install to uninstall."
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    install = commands.add_parser(
        "install",
        help="helm install, a lost node, helm upgrade, other keys, helm uninstall; all measured",
    )
    install.add_argument(
        "--helm", choices=("3", "4", "both"), default="4", help="which helm, or one after the other"
    )
    install.add_argument("--image", type=Path, metavar="FILE", help="of scripts/image; else made")
    install.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    install.add_argument("--page", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    return top


def main(arguments: Sequence[str]) -> int:
    """Return 0 if every promise held, else 1."""
    options = parser().parse_args(arguments)
    for one in _ENDINGS:
        signal.signal(one, _end)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {line}", file=sys.stderr, flush=True)

    helms = (3, 4) if options.helm == "both" else (int(options.helm),)
    before = os.getloadavg()[0]
    findings = install(helms, options.image, say)
    print(table(findings))
    if options.page:
        PAGE.write_text(page(findings, _circumstances(before)))
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in findings], indent=1) + "\n")
    return 0 if all(one.held for one in findings) else 1


def install(helms: Sequence[int], image: Path | None, say: Say) -> list[Finding]:
    """Make image and cluster, run the story with each helm, and leave nothing."""
    check_machine()
    build_programs(say, NODES)
    if image is None:
        image = build_image(ROOT / "build" / "image", lambda line: say(line.strip())).file
    elif not image.is_file():
        raise ClusterError(f"--image {image}: no such file; scripts/image makes one", EX_USAGE)
    relay = Relay()
    net.own_namespaces()
    with _place() as directory, NodeCluster(directory, _NODES) as cluster:
        relay.serve(cluster.connect)
        say(f"{_NODES} nodes are Ready")
        kubeconfig = directory / "outside.kubeconfig"
        cluster.write_kubeconfig(kubeconfig, "admin", f"https://127.0.0.1:{relay.port}")
        findings = prepare(cluster, image, say)
        for helm, victim in zip(helms, ("n2", "n3"), strict=False):
            say(f"with helm {helm}")
            story = Story(cluster, Helm(helm, kubeconfig, VALUES), say)
            findings += story.tell(victim, keys=helm == helms[-1])
    return findings


def _circumstances(before: float) -> str:
    return circumstances(
        {
            "date": time.strftime("%Y-%m-%d"),
            "cpus": os.cpu_count(),
            "kernel": os.uname().release,
            "kubernetes": version("kubernetes"),
            "load": (before, os.getloadavg()[0]),
        }
    )


def _end(*_: object) -> None:
    """Begin to tidy up; whoever presses Ctrl-C again must not end that halfway."""
    for one in _ENDINGS:
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def _place() -> Iterator[Path]:
    """Yield a directory of ours alone; logs stay in it after a failure that they explain."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClusterError(f"another run of scripts/e2e holds {lock.name}", 75) from None
        directory = PLACE / "cluster"
        shutil.rmtree(directory, ignore_errors=True)
        keep = False
        try:
            yield directory
        except ClusterError as error:
            keep = True
            raise ClusterError(f"{error}; logs are in {directory}", error.status) from None
        finally:
            if not keep:
                shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (ClusterError, ImageError) as error:
        print(error, file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        print("ended before its time: the cluster is gone", file=sys.stderr)
        sys.exit(130)
