"""Say what the image is made of: a CycloneDX document, for scanners and for people with questions.

Everything in it comes from the packages and wheels themselves; it names no moment and no machine
but the ones of the source, so that it is the same each time.
"""

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.image.debian import SUITE, Package

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "bgpd.io")


def document(packages: Iterable[Package], site: Path, moment: int) -> dict[str, Any]:
    """Return the document of an image with *packages*, and with the wheels installed in *site*."""
    wheels = sorted(site.glob("*.dist-info/METADATA"), key=lambda path: path.parent.name.lower())
    read = [Parser().parsestr(path.read_text(), headersonly=True) for path in wheels]
    ours = next(wheel for wheel in read if wheel["Name"] == "bgpd")
    components = [
        *(_debian(package) for package in packages),
        *(_python(wheel) for wheel in read if wheel is not ours),
    ]
    body = json.dumps(components, sort_keys=True)
    reference = f"pkg:pypi/bgpd@{ours['Version']}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, body)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(moment, UTC).isoformat(),
            "component": {**_python(ours), "type": "container"},
        },
        "components": components,
        "dependencies": [
            {"ref": reference, "dependsOn": sorted(part["bom-ref"] for part in components)}
        ],
    }


def render(made: Mapping[str, Any]) -> str:
    """Return the document as text."""
    return json.dumps(made, indent=1, sort_keys=True) + "\n"


def _debian(package: Package) -> dict[str, Any]:
    fields = package.fields
    version, architecture = fields["Version"], fields["Architecture"]
    purl = f"pkg:deb/debian/{quote(package.name)}@{quote(version, safe='')}"
    purl += f"?arch={architecture}&distro={SUITE}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": version,
        "purl": purl,
        "description": fields.get("Description", "").split("\n", 1)[0],
        "supplier": {"name": fields["Maintainer"].partition(" <")[0]},
    }


def _python(wheel: Message) -> dict[str, Any]:
    name = re.sub(r"[-_.]+", "-", wheel["Name"]).lower()
    purl = f"pkg:pypi/{name}@{wheel['Version']}"
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": wheel["Name"],
        "version": wheel["Version"],
        "purl": purl,
        "description": (wheel["Summary"] or "").strip(),
    }
    if expression := wheel["License-Expression"]:
        made["licenses"] = [{"expression": expression}]
    elif (told := (wheel["License"] or "").strip()) and "\n" not in told:
        made["licenses"] = [{"license": {"name": told}}]
    return made
