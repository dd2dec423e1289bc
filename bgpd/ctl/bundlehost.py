"""The host of a node as its kernel and its tools show it, and what runs there."""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from bgpd.ctl.bundlepart import Gathered
from bgpd.ctl.bundleprocess import Process
from bgpd.ctl.program import version

_COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "addresses.json": ("ip", "-j", "-s", "address", "show"),
    "routes.json": ("ip", "-j", "route", "show", "table", "all"),
    "routes6.json": ("ip", "-j", "-6", "route", "show", "table", "all"),
    "rules.json": ("ip", "-j", "rule", "show"),
    "neighbors.json": ("ip", "-j", "neighbor", "show"),
    "sockets.txt": ("ss", "-tuanop", "-i", "sport = :179 or dport = :179 or sport = :7179"),
    "nftables.txt": ("nft", "list", "ruleset"),
    "clock.txt": ("timedatectl", "show"),
}
_KEYS: Final = "md5keys"
"""What `ss -i` says before it prints the TCP MD5 keys of a socket, in clear, with some letters
written as octal numbers; some versions print them elsewhere in the text."""
_FILES: Final = (
    *("loadavg", "meminfo", "net/dev", "net/snmp", "net/snmp6", "net/netstat", "pressure/cpu"),
    *("sys/net/ipv4/ip_forward", "sys/net/ipv4/conf/all/rp_filter"),
    *("sys/net/ipv4/conf/default/rp_filter", "sys/net/ipv4/fib_multipath_hash_policy"),
)


def versions(running: Iterable[Process]) -> Gathered:
    """Return which program of which version runs, on which system."""
    system = Path("/etc/os-release")
    return Gathered(
        documents={
            "versions.json": {
                "bgpctl": version(),
                "exabgp": _exabgp(),
                "python": sys.version.split()[0],
                "kernel": " ".join(platform.uname()[:4]),
                "host": socket.gethostname(),
                "system": system.read_text().splitlines() if system.exists() else [],
                "cpus": os.cpu_count(),
                "processes": [one.shown() for one in running],
            }
        }
    )


def _exabgp() -> str:
    from importlib import metadata  # noqa: PLC0415 - slow

    return metadata.version("exabgp")


def host(seconds: float) -> Gathered:
    """Return addresses, routes, sockets and settings."""
    found = Gathered()
    for name, line in _COMMANDS.items():
        if not shutil.which(line[0]):
            found.missing[f"host/{name}"] = f"there is no {line[0]} here"
            continue
        text = run(line, seconds)
        if _KEYS in text:
            text = run((word for word in line if word != "-i"), seconds)
        try:
            if name.endswith(".json"):
                found.documents[f"host/{name}"] = json.loads(text or "[]")
            else:
                found.texts[f"host/{name}"] = text
        except ValueError:
            found.texts[f"host/{name}.txt"] = text
    for name in _FILES:
        path = Path("/proc") / name
        if path.exists():
            found.texts[f"host/proc/{name.replace('/', '.')}"] = path.read_text()
    return found


def run(line: Iterable[str], seconds: float) -> str:
    """Return what a command says, in the end that it does not come to one."""
    words = list(line)
    try:
        done = subprocess.run(
            words, capture_output=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return f"{words[0]}: no end within {seconds:g} s\n"
    except OSError as error:
        return f"{words[0]}: {error.strerror}\n"
    return (done.stdout or done.stderr).decode("utf-8", "replace")
