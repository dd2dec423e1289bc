"""Where a host is: beside its routers in one namespace, or at a provider, a gateway away."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from bgpd.model.prefix import Address
from bgpd.policy.provided import session_name
from tests.exabgp.space import Space
from tests.examples.cabling import AT_ROUTERS, bird, refusals, script
from tests.examples.sets import Set, documents
from tests.examples.sites import Site, Told
from tests.lab.metadata import ASKED, DOCUMENTS


class Place(Protocol):
    """What is around a host."""

    at_routers: Sequence[str]
    """What a command begins with that runs where the routers do."""
    environment: Mapping[str, str]
    """Variables of the units, besides their own."""
    stand_in: Sequence[str]
    """The command that answers in place of the provider; none: nobody asks."""

    @property
    def birds(self) -> Mapping[str, str]:
        """Session -> the configuration of its router."""

    def write(self, directory: Path) -> None:
        """Put into *directory*/etc what the host has in /etc."""

    def lay(self, space: Space) -> None:
        """Lay cables, give addresses."""


class Beside:
    """Every address is on the loopback interface of one namespace."""

    at_routers: Sequence[str] = ()
    stand_in: Sequence[str] = ()

    def __init__(self, one: Set) -> None:
        """Know the routers by the example's documents."""
        self.environment: Mapping[str, str] = {}
        self._addresses = one.nodes["n1"]
        self._peers = {
            each["metadata"]["name"]: each["spec"]
            for each in documents(one)
            if each["kind"] == "BGPPeer" and each["metadata"]["name"] in one.routes
        }

    @property
    def birds(self) -> Mapping[str, str]:
        """A BIRD tells sessions apart by our end alone, so each has a router of its own."""
        return {
            name: (
                "router id 192.0.2.250;\nprotocol device {}\n"
                f"protocol bgp node {{ local {peer['peerAddress']} as {peer['peerASN']};"
                f" strict bind; neighbor {self._addresses[0]} as {peer['myASN']}; multihop;"
                " passive; ipv4 { import all; export none; };"
                " ipv6 { import all; export none; }; }\n"
            )
            for name, peer in self._peers.items()
        }

    def write(self, directory: Path) -> None:
        """Nothing is needed."""

    def lay(self, space: Space) -> None:
        """Give the addresses of both ends."""
        for address in (*self._addresses, *(one["peerAddress"] for one in self._peers.values())):
            space.run("ip", "address", "add", address, "dev", "lo")


class Provided:
    """Routers behind a gateway, which take what the provider's do, and its document beside them."""

    at_routers: Sequence[str] = AT_ROUTERS

    def __init__(self, one: Set, site: Site, directory: Path) -> None:
        """Prepare; nothing is written yet."""
        self._site = site
        self._directory = directory / "provider"
        self._routers = {session_name(one.name, Address(each)): each for each in site.routers}
        certificate = directory / "etc" / "bgpd" / "certificate.pem"
        guarded = bool(site.told and site.told.token)
        self.environment: Mapping[str, str] = (
            # In place of the authorities that a distribution brings.
            {"SSL_CERT_FILE": "/etc/bgpd/certificate.pem"} if guarded else {}
        )
        self.stand_in: Sequence[str] = ()
        if site.told:
            words = (sys.executable, "-S", "-m", "tests.examples.standin", str(self._directory))
            guard = (str(certificate), site.told.token) if guarded else ()
            self.stand_in = (*AT_ROUTERS, *words, site.told.address, *guard)

    @property
    def birds(self) -> Mapping[str, str]:
        """One router for each session."""
        return {name: bird(self._site, router) for name, router in self._routers.items()}

    def write(self, directory: Path) -> None:
        """Write the provider's document, its name, and what the customer keeps on the host."""
        etc, told = directory / "etc", self._site.told
        passwords = etc / "bgpd" / "passwords"
        for name, secret in self._site.secrets.items():
            (passwords / name).parent.mkdir(parents=True, exist_ok=True)
            (passwords / name).write_text(f"{secret}\n")
        self._directory.mkdir()
        (self._directory / "refusals.nft").write_text(refusals(self._site))
        if told:
            (etc / "hosts").write_text(f"{told.address} {told.name}\n")
            self._document(told)
            if told.token:
                _certify(told.name, etc / "bgpd" / "certificate.pem")

    def _document(self, told: Told) -> None:
        """Write what each address of the host is told: the same."""
        ours = (one.partition("/")[0] for one in self._site.addresses)
        known = {address: {told.path: told.document} for address in ours}
        (self._directory / DOCUMENTS).write_text(json.dumps(known))

    def lay(self, space: Space) -> None:
        """Lay the cables, and have the routers refuse what the provider's would."""
        space.run("sh", "-c", script(self._site))
        space.run(*AT_ROUTERS, "nft", "-f", str(self._directory / "refusals.nft"))

    def asked(self) -> set[tuple[str, str]]:
        """Return who asked the stand-in for which document."""
        log = self._directory / ASKED
        lines = log.read_text().splitlines() if log.exists() else []
        said: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return {(one["source"], one["path"]) for one in said}


def place_of(one: Set, directory: Path) -> Place:
    """Return where the example is brought up."""
    return Provided(one, one.site, directory) if one.site else Beside(one)


def _certify(name: str, path: Path) -> None:
    """Make a certificate for *name* that vouches for itself, in one file with its key."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")
    parts = [path.with_suffix(f".{part}") for part in ("key", "crt")]
    files = ("-keyout", str(parts[0]), "-out", str(parts[1]))
    words = ("openssl", "req", "-x509", "-days", "2", *key, *subject, *files)
    subprocess.run(words, check=True, capture_output=True)
    path.write_text("".join(part.read_text() for part in parts))
