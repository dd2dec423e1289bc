"""The parts of the image's builder: what they decide, without a package or a wheel."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.image import debian, dockerfile, oci, rootfs, sbom
from tests.image.error import ImageError
from tests.image.layer import Owned, archive, compress

_ARGUMENTS = {"VERSION": "1.2.3", "REVISION": "abc", "CREATED": "2026-01-01T00:00:00+00:00"}
_RULES = dockerfile.DOCKERFILE.parent


def _package(name: str, **fields: str) -> debian.Package:
    return debian.Package(file=Path(f"{name}.deb"), fields={"Package": name, **fields})


def test_the_dockerfile_runs_bgpd_as_nobody_in_particular() -> None:
    """The invariants of the image: no root, no shell before the program, a signal that it hears."""
    said = dockerfile.read(dockerfile.DOCKERFILE.read_text(), _ARGUMENTS)
    assert said.user == "65532:65532"
    assert said.entrypoint == ("bgpd",)
    assert said.signal == "SIGTERM"
    assert said.labels["org.opencontainers.image.version"] == "1.2.3"
    assert said.environment["PATH"] == "/usr/local/bin:/usr/bin"


def test_the_dockerfile_adds_one_archive_to_nothing() -> None:
    """It fetches nothing, runs nothing, probes nothing and opens no port."""
    words = [word for word, _ in dockerfile.instructions(dockerfile.DOCKERFILE.read_text())]
    assert words[0] == "FROM"
    assert words.count("ADD") == 1
    assert not {"RUN", "COPY", "HEALTHCHECK", "EXPOSE", "VOLUME", "CMD"} & set(words)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("FROM debian", "FROM debian: not known", id="another base"),
        pytest.param("RUN true", "RUN true: not known", id="a command"),
        pytest.param('LABEL a="${VERSION}"', "VERSION", id="an argument that is not declared"),
        pytest.param('ARG OTHER\nLABEL a="${OTHER}"', "OTHER", id="an argument nobody gives"),
    ],
)
def test_what_the_builder_cannot_do_is_refused(text: str, sentence: str) -> None:
    """An image of ours that differs from Docker's would be worse than none."""
    with pytest.raises(ImageError, match=sentence):
        dockerfile.read(text, _ARGUMENTS)


def test_packages_come_with_what_they_depend_on_and_without_what_is_dropped() -> None:
    """What only a dropped package needs stays outside, too."""
    packages = [
        _package("python", Depends="libc (>= 2), lib1 | lib2"),
        _package("libc"),
        _package("lib2"),
        _package("dpkg", Depends="tar"),
        _package("tar"),
        _package("shell"),
    ]
    chosen = debian.choice("# reasons\npython  the interpreter\nlibc c\n\n-dpkg\n")
    assert chosen.dropped == {"dpkg"}
    found = debian.closure([*packages, _package("extra", Depends="dpkg")], chosen)
    assert [one.name for one in found] == ["lib2", "libc", "python"]


def test_alternatives_versions_and_architectures_are_names_in_the_end() -> None:
    """Every form that Debian's fields have is read."""
    fields = debian.parse("Depends: a (>= 1:2), b:any | c [amd64],\n d\nPre-Depends: e\n")
    assert debian.depends(fields) == ["e", "a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param(
            "debian.sources",
            "Types: deb\n# a remark\nURIs: http://m\nSuites: bookworm bookworm-updates\n\n"
            "Types: deb\nURIs: http://n\nSuites: cloud-bookworm\nComponents: main\n",
            "http://m",
            id="paragraphs, without somebody else's",
        ),
        pytest.param(
            "sources.list",
            "# a remark\ndeb [signed-by=/k] http://m bookworm main\ndeb http://n sid main\n",
            "http://m",
            id="lines, without another release",
        ),
    ],
)
def test_the_machines_own_mirror_of_the_release_is_used(
    name: str, text: str, expected: str, tmp_path: Path
) -> None:
    """A company's mirror is where its packages come from; other sources are none of ours."""
    (file,) = debian.mirrors({name: text}, tmp_path)
    written = Path(file).read_text()
    assert expected in written
    assert "http://n" not in written


def test_a_machine_of_another_release_asks_the_usual_mirror(tmp_path: Path) -> None:
    """On Ubuntu there is no source of the image's release: mmdebstrap's own default counts."""
    assert debian.mirrors({"ubuntu.sources": "Types: deb\nSuites: noble\n"}, tmp_path) == []


def test_the_last_pattern_that_fits_decides() -> None:
    """A rule can take everything away, and the next one give the licenses back."""
    excluded = rootfs.Excluded("# why\nusr/share/*\n!usr/share/doc/*/copyright\n")
    assert excluded("usr/share/man/man1/a.1.gz")
    assert not excluded("usr/share/doc/libc6/copyright")
    assert not excluded("usr/lib/libc.so.6")


def test_licenses_come_into_the_image_and_manuals_do_not() -> None:
    """The rules as they are: what we pass on, we pass on with its terms."""
    excluded = rootfs.Excluded((_RULES / "excluded.txt").read_text())
    assert not excluded("usr/share/doc/libc6/copyright")
    assert not excluded(f"{rootfs.SITE}/exabgp-5.0.15.dist-info/licenses/LICENSE")
    assert excluded("usr/share/doc/libc6/changelog.Debian.gz")
    assert excluded("usr/bin/ldd")
    assert excluded(f"{rootfs.SITE}/pydantic/tests/test_x.py")


def test_an_archive_depends_on_nothing_but_its_files(tmp_path: Path) -> None:
    """Order, owner and time of the builder's files leave no trace."""
    for root, names in ((tmp_path / "one", "ab"), (tmp_path / "two", "ba")):
        (root / "etc").mkdir(parents=True)
        for name in names:
            (root / "etc" / name).write_text(name)
    (tmp_path / "two" / "etc" / "a").touch()
    directories = {"tmp": Owned(mode=0o1777)}
    one = archive(tmp_path / "one", ["etc/a", "etc/b"], directories)
    two = archive(tmp_path / "two", ["etc/b", "etc/a"], directories)
    assert compress(one).digest == compress(two).digest
    with tarfile.open(fileobj=io.BytesIO(one)) as read:
        found = {entry.name: (entry.mode, entry.uid) for entry in read}
    assert found == {
        "etc": (0o755, 0),
        "etc/a": (0o644, 0),
        "etc/b": (0o644, 0),
        "tmp": (0o1777, 0),
    }


def test_a_bundle_names_its_image_for_containerd_and_for_docker(tmp_path: Path) -> None:
    """Both find the same blobs, and each blob is what its name says."""
    (tmp_path / "file").write_text("x")
    layer = compress(archive(tmp_path, ["file"], {}))
    settings = dockerfile.Settings(user="1:1", entrypoint=("bgpd",))
    made = oci.image([layer], settings, 0)
    with tarfile.open(fileobj=io.BytesIO(oci.bundle(made, "localhost/x:1", 0))) as read:
        files = {entry.name: read.extractfile(entry) for entry in read}
        texts = {name: file.read() for name, file in files.items() if file is not None}
    index, older = json.loads(texts["index.json"]), json.loads(texts["manifest.json"])
    assert index["manifests"][0]["digest"] == made.digest
    assert index["manifests"][0]["annotations"]["io.containerd.image.name"] == "localhost/x:1"
    assert older[0]["RepoTags"] == ["localhost/x:1"]
    assert texts[older[0]["Layers"][0]] == layer.data
    assert json.loads(texts[older[0]["Config"]])["rootfs"]["diff_ids"] == [layer.diff_id]


def test_a_name_of_the_image_changes_no_digest(tmp_path: Path) -> None:
    """The same image under two tags is one image."""
    (tmp_path / "file").write_text("x")
    layer = compress(archive(tmp_path, ["file"], {}))
    one, two = (oci.image([layer], dockerfile.Settings(), 7) for _ in range(2))
    assert one.digest == two.digest


def test_the_bill_of_materials_names_every_part_and_no_moment_of_its_own(tmp_path: Path) -> None:
    """Packages and wheels are there by purl; the same parts make the same document."""
    for name, version, terms in (("bgpd", "1", "Apache-2.0"), ("Some_Thing", "2", "MIT")):
        place = tmp_path / f"{name}-{version}.dist-info"
        place.mkdir()
        (place / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
            f"License-Expression: {terms}\n"
        )
    fields = {"Version": "1:2+b1", "Architecture": "amd64", "Maintainer": "A <a@b>"}
    made = sbom.document([_package("libc6", **fields)], tmp_path, 0)
    assert [part["purl"] for part in made["components"]] == [
        "pkg:deb/debian/libc6@1%3A2%2Bb1?arch=amd64&distro=bookworm",
        "pkg:pypi/some-thing@2",
    ]
    assert made["metadata"]["component"]["name"] == "bgpd"
    assert made == sbom.document([_package("libc6", **fields)], tmp_path, 0)
