"""Facts about the files that hold the mesh keys."""

import base64
import shutil
import string
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bgpd.mesh.keys import generate, load, load_with_warnings
from bgpd.model.errors import ConfigError

OLD = bytes(range(32))
NEW = bytes(range(100, 132))


def key_file(directory: Path, text: str | bytes, name: str = "mesh-key") -> Path:
    """Write a key file that only its owner reads."""
    path = directory / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    return path


def base64_of(key: bytes) -> str:
    """Return *key* as one line."""
    return base64.b64encode(key).decode()


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        pytest.param(base64_of(NEW), (NEW,), id="base64"),
        pytest.param(base64_of(NEW) + "\n", (NEW,), id="base64 with a line end"),
        pytest.param(NEW.hex(), (NEW,), id="hex"),
        pytest.param(NEW.hex().upper() + "\r\n", (NEW,), id="hex in capitals, by an editor"),
        pytest.param("a pass phrase of some length", (b"a pass phrase of some length",), id="text"),
        pytest.param("correct-horse-battery", (b"correct-horse-battery",), id="text with dashes"),
        pytest.param("sixteenletters16", (b"sixteenletters16",), id="text that looks like base64"),
        pytest.param(f"{base64_of(NEW)}\n{OLD.hex()}\n", (NEW, OLD), id="two keys, newest first"),
        pytest.param(f"\n {base64_of(NEW)} \n\n", (NEW,), id="blanks and empty lines"),
        pytest.param(f"{NEW.hex()}\n{base64_of(NEW)}\n", (NEW,), id="one key in two forms"),
    ],
)
def test_a_key_is_read_in_the_form_it_has(
    tmp_path: Path, text: str, keys: tuple[bytes, ...]
) -> None:
    """Base64, hex and text are all accepted, and the first line is the newest key."""
    assert load(key_file(tmp_path, text)) == keys


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"\n\n", "empty", id="empty lines"),
        pytest.param(b"short", r"line 1: too short \(5 bytes as text\)", id="short text"),
        pytest.param(
            b"0123456789abcd",
            r"too short \(7 bytes as hex, 14 bytes as text\)",
            id="short hex says every form that it could have",
        ),
        pytest.param(
            f"{base64_of(NEW)}\nshort".encode(), "line 2: too short", id="a short second line"
        ),
        pytest.param(b"\xff\xfe\x00" * 20, "binary, not text", id="raw bytes"),
        pytest.param(b"ab" * 65, "65 bytes as hex; at most 64", id="more than BLAKE2b takes"),
        pytest.param(
            b"\n".join(bytes((letter,)) * 20 for letter in b"abc"), "3 keys, at most 2", id="three"
        ),
        pytest.param(b"x" * 70_000, "longer than 65536 bytes", id="something else altogether"),
    ],
)
def test_a_key_that_cannot_be_used_is_a_sentence(tmp_path: Path, text: bytes, words: str) -> None:
    """The error names the file, what was found and what is legal, and never the key."""
    path = key_file(tmp_path, text)
    with pytest.raises(ConfigError, match=words) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert caught.value.exit_code == 78
    assert base64_of(NEW) not in str(caught.value)


def test_a_missing_key_says_how_to_make_one(tmp_path: Path) -> None:
    """The first start without a key ends with the command that makes one."""
    with pytest.raises(ConfigError, match=r"No such file.*`bgpd mesh-key`"):
        load(tmp_path / "missing")


def mount(directory: Path, name: str, **keys: bytes) -> None:
    """Show *keys* as a kubelet does: the link to all of them turns first, the others follow."""
    data = directory / f"..{name}"
    data.mkdir()
    for file, key in keys.items():
        key_file(data, base64_of(key), file)
    (directory / "..data_tmp").symlink_to(data.name)
    (directory / "..data_tmp").rename(directory / "..data")
    for file in keys:
        if not (directory / file).is_symlink():
            (directory / file).symlink_to(f"..data/{file}")


def test_a_mounted_secret_is_read(tmp_path: Path) -> None:
    """A directory holds one key a file, in the order of the names, beside Kubernetes' own."""
    mount(tmp_path, "2026_11_22", key=NEW, previous=OLD)
    assert load(tmp_path) == (NEW, OLD)


def test_the_previous_key_counts_from_the_moment_that_the_new_one_does(tmp_path: Path) -> None:
    """A kubelet shows a file that is new after it has turned the others to their new content."""
    mount(tmp_path, "1", key=NEW, previous=OLD)
    (tmp_path / "previous").unlink()
    assert load(tmp_path) == (NEW, OLD)


def test_a_secret_that_changes_while_it_is_read_is_never_half_of_each(tmp_path: Path) -> None:
    """Old, or new with the old one accepted: the new one alone would refuse all others."""
    mount(tmp_path, "0", key=OLD)
    whole = {(OLD,), (NEW, OLD)}
    found: set[tuple[bytes, ...]] = set()
    over = threading.Event()

    def rotate() -> None:
        for number in range(1, 20_000):
            # The reader may have no turn for a while; nothing else ends this early.
            if number >= 400 and found >= whole:
                break
            (tmp_path / "previous").unlink(missing_ok=True)
            mount(
                tmp_path,
                str(number),
                **({"key": NEW, "previous": OLD} if number % 2 else {"key": OLD}),
            )
            shutil.rmtree(tmp_path / f"..{number - 1}")
        over.set()

    rotating = threading.Thread(target=rotate)
    rotating.start()
    while not over.is_set():
        with suppress(ConfigError):  # gone under our hands: the keys before stay in force
            found.add(load(tmp_path))
    rotating.join()
    assert found == whole


def test_an_empty_directory_is_a_sentence(tmp_path: Path) -> None:
    """A Secret that was mounted without a key is named."""
    with pytest.raises(ConfigError, match="a directory without a key file"):
        load(tmp_path)


def test_a_key_that_the_world_can_read_is_a_warning(tmp_path: Path) -> None:
    """Too open permissions are said, and stop nothing."""
    path = key_file(tmp_path, base64_of(NEW))
    assert load_with_warnings(path) == ((NEW,), ())
    path.chmod(0o644)
    keys, warnings = load_with_warnings(path)
    assert keys == (NEW,)
    assert warnings == (
        f"{path}: mode 0644 lets everyone on this host use the mesh key; chmod 0640 it",
    )


def test_a_generated_key_is_read_and_never_the_same(tmp_path: Path) -> None:
    """What `bgpd mesh-key` prints is what a key file takes: 32 random bytes."""
    made = {load(key_file(tmp_path, generate()))[0] for _ in range(10)}
    assert len(made) == 10
    assert {len(key) for key in made} == {32}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(min_size=16, max_size=64))
def test_every_key_survives_its_hex_and_its_base64(key: bytes) -> None:
    """No key of a legal length is mistaken, but for base64 that happens to be hex."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        assert load(key_file(directory, key.hex())) == (key,)
        assume(not set(base64_of(key)) <= set(string.hexdigits))
        assert load(key_file(directory, base64_of(key))) == (key,)
