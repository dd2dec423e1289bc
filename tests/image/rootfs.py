"""Put together the file system of the image: what is in it is decided here, and nowhere else.

Three layers: Debian's files, other people's wheels, and bgpd. A new version of bgpd moves only the
last one, so nodes that have the one before fetch a megabyte.
"""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from tests.image.debian import Package
from tests.image.error import ImageError
from tests.image.layer import USER, Owned
from tests.image.wheels import PYTHON

SITE: Final = f"usr/local/lib/python{PYTHON}/dist-packages"
BUNDLE: Final = "etc/ssl/certs/ca-certificates.crt"
SBOM: Final = "usr/share/bgpd/sbom.cdx.json"

# Debian has merged /lib and the like into /usr, but its packages still say /lib.
LINKS: Final[Mapping[str, str]] = {
    "bin": "usr/bin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "sbin": "usr/sbin",
    "etc/os-release": "../usr/lib/os-release",
    "usr/bin/python3": f"python{PYTHON}",
    "var/run": "../run",
}
DIRECTORIES: Final[Mapping[str, Owned]] = {
    **{name: Owned(mode=0o755) for name in ("dev", "proc", "sys", "run", "usr/sbin", "etc/bgpd")},
    "root": Owned(mode=0o700),
    "tmp": Owned(mode=0o1777),
    "run/bgpd": Owned(mode=0o750, user=USER),
    "var/lib/bgpd": Owned(mode=0o750, user=USER),
}
TEXTS: Final[Mapping[str, str]] = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/sbin/nologin\n"
        f"bgpd:x:{USER}:{USER}:bgpd:/var/lib/bgpd:/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
    ),
    "etc/group": f"root:x:0:\nbgpd:x:{USER}:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


class Excluded:
    """The patterns of `excluded.txt`: the last that fits decides."""

    def __init__(self, text: str) -> None:
        """Read *text*."""
        lines = [line.strip() for line in text.splitlines()]
        self._rules = [
            (line.removeprefix("!"), not line.startswith("!"))
            for line in lines
            if line and not line.startswith("#")
        ]

    def __call__(self, path: str) -> bool:
        """Tell whether *path* stays outside."""
        verdict = False
        for pattern, excluded in self._rules:
            if fnmatchcase(path, pattern):
                verdict = excluded
        return verdict


def unpack(packages: Iterable[Package], root: Path, excluded: Excluded) -> None:
    """Write the files of *packages* into *root*, and for scanners what the packages are."""
    for package in packages:
        _unpack(package.file, root, excluded)
        status = root / "var/lib/dpkg/status.d" / package.name
        _write(status, "".join(f"{key}: {value}\n" for key, value in package.fields.items()))
    for link, target in LINKS.items():
        (root / link).parent.mkdir(parents=True, exist_ok=True)
        (root / link).symlink_to(target)
    for name, text in TEXTS.items():
        _write(root / name, text)
    authorities = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    _write(root / BUNDLE, "".join(file.read_text() for file in authorities))
    (root / "usr/lib/ssl").mkdir(parents=True, exist_ok=True)
    (root / "usr/lib/ssl/cert.pem").symlink_to(f"/{BUNDLE}")


def add_wheels(target: Path, scripts: Mapping[str, str], root: Path, excluded: Excluded) -> None:
    """Move what was installed in *target* into *root*, with the programs that *scripts* holds."""
    for file in sorted(target.rglob("*")):
        path = f"{SITE}/{file.relative_to(target)}"
        if file.is_file() and not excluded(path):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(file, root / path)
    for name, text in scripts.items():
        _write(root / "usr/local/bin" / name, text)
        (root / "usr/local/bin" / name).chmod(0o755)


def compile_all(root: Path) -> None:
    """Compile every module with the image's own Python.

    Unchecked: nobody compares them with the sources at run time, and no time is in them. One
    process and one seed, so that they come out the same each time.
    """
    users = [] if os.geteuid() == 0 else ["--map-root-user"]
    line = [
        *("unshare", *users, "--mount", f"--root={root}"),
        *(f"/usr/bin/python{PYTHON}", "-s", "-B", "-m", "compileall", "-q", "-f"),
        *("--invalidation-mode", "unchecked-hash"),
        *(f"/usr/lib/python{PYTHON}", f"/{SITE}"),
    ]
    done = subprocess.run(
        line,
        env={"PATH": os.environ.get("PATH", "/usr/bin"), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ImageError(f"compileall failed:\n{(done.stdout + done.stderr).strip()}")


def paths(root: Path) -> tuple[list[str], list[str], list[str]]:
    """Return the files of *root* by layer: Debian's, other people's, ours."""
    debian, wheels, ours = [], [], []
    for path in _files(root):
        if path.startswith(("usr/local/bin/", "usr/share/bgpd/", f"{SITE}/bgpd")):
            ours.append(path)
        elif path.startswith(f"{SITE}/"):
            wheels.append(path)
        else:
            debian.append(path)
    return debian, wheels, ours


def _files(root: Path) -> Iterator[str]:
    for directory, names, files in os.walk(root):
        here = Path(directory)
        links = [name for name in names if (here / name).is_symlink()]
        for name in (*files, *links):
            yield str((here / name).relative_to(root))


def _unpack(file: Path, root: Path, excluded: Excluded) -> None:
    """Write the files of one package; directories come with the files in them."""
    command = ["dpkg-deb", "--fsys-tarfile", str(file)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as unpacked,
        tarfile.open(fileobj=unpacked.stdout, mode="r|") as tar,
    ):
        for entry in tar:
            path = _merged(entry.name.removeprefix("./"))
            if not entry.isdir() and not excluded(path):
                _place(tar, entry, root, root / path)
    if unpacked.returncode != 0:
        raise ImageError(f"{file.name} could not be unpacked")


def _place(tar: tarfile.TarFile, entry: tarfile.TarInfo, root: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if entry.issym():
        target.symlink_to(entry.linkname)
    elif entry.islnk():
        shutil.copy2(root / _merged(entry.linkname.removeprefix("./")), target)
    else:
        data = tar.extractfile(entry)
        assert data is not None, entry.name
        target.write_bytes(data.read())
        target.chmod(entry.mode & 0o755)


def _merged(path: str) -> str:
    first = path.split("/", 1)[0]
    return f"usr/{path}" if first in {"bin", "lib", "lib64", "sbin"} else path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
