"""Clean what was gathered and pack it: one directory in one archive, with a manifest."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from bgpd.ctl.bundlepart import Gathered
from bgpd.ctl.bundlesecrets import REMOVED, Secrets
from bgpd.ctl.document import API_VERSION

MANIFEST: Final = "manifest.json"


def name_of(node: str, now: float) -> str:
    """Return what the directory in the bundle is called, and the archive but for its ending."""
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    plain = "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in node)
    return f"bgpd-{plain or 'node'}-{moment}"


def cleaned(found: Gathered, secrets: Secrets) -> dict[str, bytes]:
    """Return the content of each file without secrets, the manifest left out."""
    files: dict[str, str] = {}
    for name, document in found.documents.items():
        files[name] = json.dumps(secrets.clean(document), indent=1, ensure_ascii=False) + "\n"
    files |= {name: secrets.clean_text(text) for name, text in found.texts.items()}
    return {
        secrets.clean_text(name): _sure(text, secrets).encode("utf-8", "backslashreplace")
        for name, text in sorted(files.items())
    }


def manifest(
    files: Mapping[str, bytes],
    missing: Mapping[str, str],
    secrets: Secrets,
    facts: Mapping[str, str],
) -> bytes:
    """Return what is in the bundle, and what is not and why."""
    document = {
        "apiVersion": API_VERSION,
        "kind": "DebugBundle",
        **facts,
        "files": [
            {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        ],
        "missing": {name: missing[name] for name in sorted(missing)},
        "secrets": {
            "known": len(secrets),
            "sentence": f"each was replaced by {REMOVED} in every file, as was what looks like one",
        },
    }
    text = json.dumps(secrets.clean(document), indent=1, ensure_ascii=False) + "\n"
    return _sure(text, secrets).encode("utf-8", "backslashreplace")


def archive(directory: str, files: Mapping[str, bytes], now: float) -> bytes:
    """Return a tar.gz of *files* below *directory*; only its owner may read what comes out."""
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, mode="wb", mtime=int(now)) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(f"{directory}/{name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, int(now)
            tar.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def _sure(text: str, secrets: Secrets) -> str:
    """Return *text*; where a secret came out of two parts that are none, without it."""
    return secrets.clean_text(text) if secrets.left_in(text) else text
