"""Where the programs come from."""

from pathlib import Path

import pytest

from tests.cluster.binaries import ASSETS, PROGRAMS, cache, found, missing, version


def _program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a machine that has nothing."""
    return {ASSETS: str(tmp_path / "assets"), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_a_machine_with_nothing_lacks_every_program(machine: dict[str, str]) -> None:
    """Nothing is found where nothing is, and all is named."""
    assert found(machine) == {}
    assert missing(PROGRAMS, machine) == PROGRAMS


def test_the_callers_assets_come_before_the_cache(machine: dict[str, str]) -> None:
    """What KUBEBUILDER_ASSETS holds is used; what it lacks comes from the cache."""
    assets = Path(machine[ASSETS])
    etcd = _program(assets / "etcd")
    server = _program(assets / "kube-apiserver")
    _program(cache(machine) / "etcd")
    controllers = _program(cache(machine) / "kube-controller-manager")
    assert found(machine) == {
        "etcd": etcd,
        "kube-apiserver": server,
        "kube-controller-manager": controllers,
    }


def test_a_file_that_cannot_be_run_is_no_program(machine: dict[str, str]) -> None:
    """A half-copied file without the executable bit is passed over."""
    path = Path(machine[ASSETS]) / "etcd"
    path.parent.mkdir()
    path.touch(mode=0o644)
    assert "etcd" in missing(PROGRAMS, machine)


def test_the_cache_is_kept_by_version(machine: dict[str, str]) -> None:
    """A new version of either is another place, so that nobody runs an old program by mistake."""
    name = cache(machine).name
    assert version("kubernetes") in name
    assert version("etcd") in name
