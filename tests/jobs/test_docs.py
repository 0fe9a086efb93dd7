"""The page on jobs: its Python runs as it stands there, and its table of settings is the one that the code has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from qfast import config
from qfast.config.settings import SETTINGS, Setting
from qfast.devices import DeviceStatus, get_device

PAGE = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text(encoding="utf-8")


@pytest.fixture
def restored() -> Iterator[None]:
    yield
    get_device("local::reference").set_status(DeviceStatus.ONLINE)
    config.unset("threads", device="local::statevector")
    config.unset_token(device="hpc::gpu4")


@pytest.mark.usefixtures("restored")
def test_the_python_of_the_page_runs_and_does_what_it_says() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "jobs.md", "exec"), names)
    assert names["value"] == pytest.approx(1.0)
    assert names["moved"].device == "local::statevector"  # type: ignore[attr-defined]
    assert names["about"].status == "online"  # type: ignore[attr-defined]
    assert len(names["jobs"]) == 8  # type: ignore[arg-type]
    assert names["figures"].waiters == 0  # type: ignore[attr-defined]


def table_row(setting: Setting) -> str:
    """Return the line of the table that describes a setting."""
    default = setting.default
    if callable(default):
        text = "auto"
    elif isinstance(default, bool):
        text = str(default).lower()
    elif isinstance(default, tuple):
        text = ", ".join(map(str, default)) or "none"
    else:
        text = "none" if default is None else str(default)
    return f"| `{setting.name}` | {text} | `{setting.environment}` | {setting.doc} |"


def test_the_table_of_settings_is_the_one_that_the_code_has() -> None:
    written = re.findall(r"^\| `\w+` \| .* \| `QFAST_.*$", PAGE, re.MULTILINE)
    assert written == [table_row(setting) for setting in SETTINGS.values()]


def test_links_of_the_page_lead_somewhere() -> None:
    for name in re.findall(r"\]\(([\w.]+)\)", PAGE):
        assert (Path(__file__).parents[2] / "docs" / name).is_file()
