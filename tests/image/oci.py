"""Write an image as one file that containerd, podman and Docker load: an OCI layout in a tar.

Specifications: OCI image layout, image index, image manifest and image configuration 1.1.
"""

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tests.image.dockerfile import Settings
from tests.image.layer import Layer, digest

_OCI: Final = "application/vnd.oci.image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Layers, and the two documents that say what they are; *digest* is the image's name."""

    layers: Sequence[Layer]
    configuration: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        """The manifest's digest: what a deployment may pin."""
        return digest(self.manifest)

    @property
    def size(self) -> int:
        """The bytes that a node fetches."""
        return sum(len(layer.data) for layer in self.layers) + len(self.configuration)


def image(layers: Sequence[Layer], settings: Settings, moment: int) -> Image:
    """Return the image of *layers* that runs as *settings* say."""
    created = datetime.fromtimestamp(moment, UTC).isoformat()
    configuration = _json(
        {
            "created": created,
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "User": settings.user,
                "Env": [f"{name}={value}" for name, value in settings.environment.items()],
                "Entrypoint": list(settings.entrypoint),
                "WorkingDir": settings.directory,
                "StopSignal": settings.signal,
                "Labels": dict(sorted(settings.labels.items())),
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": created, "created_by": "scripts/image"} for _ in layers],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": _descriptor(configuration, f"{_OCI}.config.v1+json"),
            "layers": [_descriptor(x.data, f"{_OCI}.layer.v1.tar+gzip") for x in layers],
        }
    )
    return Image(layers=layers, configuration=configuration, manifest=manifest)


def bundle(made: Image, name: str, moment: int) -> bytes:
    """Return the tar with *made* in it, which is loaded under *name* (`localhost/bgpd:0.1.0`)."""
    described = _descriptor(made.manifest, f"{_OCI}.manifest.v1+json")
    described["annotations"] = {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.rpartition(":")[2],
    }
    blobs = [*(layer.data for layer in made.layers), made.configuration, made.manifest]
    index = {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": [described]}
    # What `docker load` read before it knew OCI; the same blobs.
    older = {
        "Config": _place(digest(made.configuration)),
        "RepoTags": [name],
        "Layers": [_place(layer.digest) for layer in made.layers],
    }
    files = {
        "index.json": _json(index),
        "manifest.json": _json([older]),
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        **{_place(digest(blob)): blob for blob in blobs},
    }
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, data in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mtime, entry.mode = len(data), moment, 0o644
            tar.addfile(entry, io.BytesIO(data))
    return output.getvalue()


def _place(of: str) -> str:
    return f"blobs/{of.replace(':', '/')}"


def _descriptor(data: bytes, kind: str) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest(data), "size": len(data)}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
