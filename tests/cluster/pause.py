"""Make the image of the pause container, which every pod has; nobody is asked for it."""

import tempfile
from pathlib import Path

from tests.cluster.nodefiles import PAUSE
from tests.image import oci
from tests.image.dockerfile import Settings
from tests.image.layer import archive, compress


def write(target: Path, program: Path) -> None:
    """Write an image with *program* alone to *target*."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        (root / "pause").write_bytes(program.read_bytes())
        (root / "pause").chmod(0o755)
        layer = compress(archive(root, ["pause"], {}))
    settings = Settings(user="65535:65535", entrypoint=("/pause",))
    target.write_bytes(oci.bundle(oci.image([layer], settings, 0), PAUSE, 0))
