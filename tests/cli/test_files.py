from __future__ import annotations

from pathlib import Path

import pytest

from qfast.cli.files import check_writable, replacing
from qfast.errors import InputError


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "plot.png"
    with replacing(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        temporary.write_text("whole")
    assert target.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "plot.png"
    target.write_text("old")

    def interrupted_write() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        interrupted_write()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_temporary_file_keeps_the_suffix_that_names_the_format(tmp_path: Path) -> None:
    with replacing(tmp_path / "plot.svg") as temporary:
        temporary.touch()
        assert temporary.suffix == ".svg"


def test_a_path_that_cannot_become_a_file_is_refused_before_any_work(tmp_path: Path) -> None:
    check_writable(tmp_path / "new.png", "--plot")
    with pytest.raises(InputError, match="is a folder"):
        check_writable(tmp_path, "--plot")
    with pytest.raises(InputError, match="does not exist"):
        check_writable(tmp_path / "absent" / "new.png", "--plot")
