"""``qfast config`` on a file of its own."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qfast import config
from qfast.cli import config_command
from qfast.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("QFAST_CONFIG_FILE", str(path))
    monkeypatch.setenv("QFAST_AUTH_FILE", str(tmp_path / "auth.json"))
    monkeypatch.delenv("QFAST_NUM_THREADS", raising=False)
    config.reload()
    yield path
    monkeypatch.undo()
    config.reload()


@pytest.fixture
def qfast(file: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    parser = argparse.ArgumentParser()
    config_command.add_parser(parser.add_subparsers())

    def call(*words: str) -> tuple[int, str]:
        arguments = parser.parse_args(["config", *words])
        code = arguments.handler(arguments)
        return code, capsys.readouterr().out.strip()

    return call


Qfast = Callable[..., tuple[int, str]]


def test_a_value_is_written_read_and_removed(qfast: Qfast, file: Path) -> None:
    assert qfast("set", "default_shots", "77") == (0, "")
    assert file.read_text() == "default_shots = 77\n"
    assert qfast("get", "default_shots") == (0, "77")
    assert json.loads(qfast("get", "default_shots", "--json")[1])["source"] == "file"
    assert qfast("unset", "default_shots") == (0, "")
    assert qfast("get", "default_shots") == (0, "1024")


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("max_job_bytes", "8GiB", str(8 * 2**30)),
        ("max_job_bytes", "none", "none"),
        ("error_mitigation", "zne,readout", "readout,zne"),
        ("recycle_buffers", "no", "false"),
        ("retry_delay_s", "0.5", "0.5"),
    ],
)
def test_every_type_of_value_survives_the_file(qfast: Qfast, name: str, text: str, shown: str) -> None:
    qfast("set", name, text)
    assert qfast("get", name) == (0, shown)


def test_a_device_has_settings_of_its_own(qfast: Qfast) -> None:
    qfast("set", "precision", "complex64", "--device", "reference")
    assert qfast("get", "precision", "--device", "local::reference") == (0, "complex64")
    assert qfast("get", "precision") == (0, "complex128")


def test_the_list_shows_every_setting_with_its_source(qfast: Qfast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QFAST_NUM_THREADS", "3")
    rows = {row["name"]: row for row in json.loads(qfast("list", "--json")[1])}
    assert set(rows) == set(config.SETTINGS)
    assert (rows["threads"]["value"], rows["threads"]["place"]) == (3, "environment QFAST_NUM_THREADS")
    code, text = qfast("list", "--changed")
    assert (code, text.split()[:2]) == (0, ["threads", "3"])


def test_without_an_action_everything_is_listed_with_its_variable(
    qfast: Qfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QFAST_LOCAL_BASE_URL", "http://node")
    code, text = qfast()
    assert code == 0
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert set(config.SETTINGS) < set(lines)
    assert all(setting.environment in lines[name] for name, setting in config.SETTINGS.items())
    assert lines["local.base_url"].split()[1:] == ["http://node", "environment", "QFAST_LOCAL_BASE_URL"]


def test_conflicts_are_listed_and_set_the_exit_code(qfast: Qfast, monkeypatch: pytest.MonkeyPatch) -> None:
    assert qfast("conflicts") == (0, "no two sources disagree")
    qfast("set", "threads", "2")
    monkeypatch.setenv("QFAST_NUM_THREADS", "3")
    monkeypatch.setenv("QFAST_LOCAL_TOKEN", "s3cret")
    config.set_token("other", provider="local")
    try:
        code, text = qfast("conflicts")
        data = json.loads(qfast("conflicts", "--json")[1])
    finally:
        config.unset_token(provider="local")
    assert code == 1
    assert "threads: 3 from environment QFAST_NUM_THREADS wins over 2" in text
    assert "s3cret" not in text + str(data)
    assert [c["name"] for c in data] == ["threads", "local.token"]


def test_writing_a_value_that_does_not_win_is_said(qfast: Qfast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QFAST_NUM_THREADS", "3")
    assert qfast("set", "threads", "2") == (0, "written, but environment QFAST_NUM_THREADS says 3, which wins")


@pytest.mark.parametrize("words", [("get", "thread"), ("set", "thread", "1"), ("set", "threads", "x"), ("unset", "t")])
def test_unknown_names_and_bad_values_are_refused(qfast: Qfast, file: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        qfast(*words)
    assert not file.exists()
