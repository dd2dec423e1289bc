"""`bgpd host prepare` takes CAP_CHOWN alone, whatever ran on the host before."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bgpd.ctl.prepare import prepare
from bgpd.model.errors import ConfigError
from tests.lacking import need_root

USER = 65532


def owners(path: Path) -> set[tuple[int, int]]:
    """Return who has *path* and all below it."""
    found = [path, *path.rglob("*")]
    return {(one.lstat().st_uid, one.lstat().st_gid) for one in found}


def run(path: Path, *capabilities: str) -> subprocess.CompletedProcess[str]:
    """Run the command as root with these capabilities and no other."""
    kept = "".join(f",+{one}" for one in capabilities)
    line = ["setpriv", "--reset-env", f"--bounding-set=-all{kept}", "--no-new-privs"]
    line += [sys.executable, "-m", "bgpd.ctl.daemon", "host", "prepare", str(path)]
    return subprocess.run(
        line, check=False, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )


def test_what_another_user_left_becomes_ours_with_chown_alone(tmp_path: Path) -> None:
    """An agent that ran as root yesterday leaves files that today's must read."""
    need_root(unproven="that CHOWN alone gives files to another user")
    tmp_path.chmod(0o755)
    home = tmp_path / "state"
    (home / "deep").mkdir(parents=True)
    (home / "deep" / "file").write_text("x")
    (home / "objects.json").write_text("x")
    for one in (home / "deep" / "file", home / "objects.json"):
        one.chmod(0o600)
    (home / "elsewhere").symlink_to("/etc/hostname")
    os.chown(home / "deep", 12345, 12345)
    os.chown(home / "deep" / "file", 12345, 12345)
    (home / "deep").chmod(0o700)
    before = Path("/etc/hostname").stat()
    done = run(home, "chown")
    assert done.returncode == 0, done.stderr
    (home / "elsewhere").unlink()
    assert owners(home) == {(USER, USER)}
    assert stat.S_IMODE(home.stat().st_mode) == 0o770
    assert stat.S_IMODE((home / "objects.json").stat().st_mode) == 0o660
    after = Path("/etc/hostname").stat()
    assert (before.st_uid, before.st_mode) == (after.st_uid, after.st_mode)


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    """Each start of a pod does it again."""
    need_root(unproven="that files are given away once")
    home = tmp_path / "run"
    prepare([home])
    (home / "a").write_text("x")
    prepare([home])
    found = [(one.stat().st_uid, one.stat().st_mode) for one in (home, home / "a")]
    prepare([home])
    assert [(one.stat().st_uid, one.stat().st_mode) for one in (home, home / "a")] == found


def test_without_the_right_it_is_one_sentence(tmp_path: Path) -> None:
    """A pod that lacks CAP_CHOWN says so instead of failing later."""
    need_root(unproven="what is said without CAP_CHOWN")
    tmp_path.chmod(0o755)
    done = run(tmp_path / "state")
    assert done.returncode == 78
    assert "cannot be given to user 65532" in done.stderr
    assert "CAP_CHOWN" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_in_the_place_of_a_directory_is_one_sentence(tmp_path: Path) -> None:
    """The sentence names the path."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="file/state"):
        prepare([tmp_path / "file" / "state"])
