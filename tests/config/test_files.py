"""Editing the configuration file keeps its comments; reading the machine's limits."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfast.config.files import ConfigFile, default_auth_path, default_config_path, edit_setting
from qfast.errors import ConfigError


def test_an_edit_keeps_comments_and_other_lines(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('# mine\nthreads = 2  # two\n\n[devices."local::statevector"]\n# big\nprecision = "complex64"\n')
    edit_setting(path, "engine", "numba")
    edit_setting(path, "threads", 4)
    edit_setting(path, "precision", "complex128", device="local::statevector")
    edit_setting(path, "workers", 3, device="local::reference")
    text = path.read_text()
    assert "# mine" in text
    assert "# big" in text
    file = ConfigFile.read(path)
    assert file.general == {"threads": 4, "engine": "numba"}
    assert file.devices == {"local::statevector": {"precision": "complex128"}, "local::reference": {"workers": 3}}
    edit_setting(path, "threads", None)
    edit_setting(path, "workers", None, device="local::reference")
    assert ConfigFile.read(path).general == {"engine": "numba"}


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["threads", "default_shots", "workers"]),
            st.none() | st.integers(1, 99),
            st.none() | st.sampled_from(["local::a", "local::b"]),
        ),
        max_size=12,
    )
)
def test_any_history_of_edits_leaves_what_was_written_last(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, int | None, str | None]]
) -> None:
    path = tmp_path_factory.mktemp("edits") / "config.toml"
    wanted: dict[tuple[str | None, str], int] = {}
    for name, value, device in edits:
        edit_setting(path, name, value, device=device)
        if value is None:
            wanted.pop((device, name), None)
        else:
            wanted[device, name] = value
    file = ConfigFile.read(path)
    found = {(None, name): value for name, value in file.general.items()}
    found.update({(d, name): value for d, rows in file.devices.items() for name, value in rows.items()})
    assert found == wanted


def test_a_layout_that_cannot_be_edited_safely_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    before = '"threads" = 2\n'
    path.write_text(before)
    with pytest.raises(ConfigError, match="by hand"):
        edit_setting(path, "threads", None)
    assert path.read_text() == before
    assert tomllib.loads(before) == {"threads": 2}


def test_the_files_stand_where_the_platform_and_the_environment_say() -> None:
    assert default_config_path({"QFAST_CONFIG_FILE": "/x/y.toml"}) == Path("/x/y.toml")
    assert default_config_path({"XDG_CONFIG_HOME": "/xdg"}) == Path("/xdg/qfast/config.toml")
    assert default_auth_path({"XDG_CONFIG_HOME": "/xdg"}) == Path("/xdg/qfast/auth.json")
    assert default_auth_path({"QFAST_AUTH_FILE": "/a.json"}) == Path("/a.json")
