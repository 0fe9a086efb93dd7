"""Editing the configuration file keeps its comments; reading the machine's limits."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfast.config import machine
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


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cgroup v2 tree of our own: the process is in /jobs/one."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/jobs/one\n")
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 1000 kB\nMemAvailable: 800 kB\n")
    folder = tmp_path / "cgroup" / "jobs" / "one"
    folder.mkdir(parents=True)
    monkeypatch.setattr(machine, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "_CGROUP_ROOT", tmp_path / "cgroup")
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    return folder


def test_threads_respect_affinity_quota_and_slurm(cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.cpu_count({}) == 16
    assert machine.cpu_count({"SLURM_CPUS_PER_TASK": "6"}) == 6
    (cgroup / "cpu.max").write_text("max 100000\n")
    (cgroup.parent / "cpu.max").write_text("450000 100000\n")
    assert machine.cpu_count({"SLURM_CPUS_PER_TASK": "6"}) == 4
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 5})
    assert machine.cpu_count({"SLURM_CPUS_PER_TASK": "nonsense"}) == 2
    (cgroup / "cpu.max").write_text("50000 100000\n")
    assert machine.cpu_count({}) == 1


def test_unbound_mpi_ranks_share_the_cpus(cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.cpu_count({"OMPI_COMM_WORLD_LOCAL_SIZE": "4"}) == 4
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert machine.cpu_count({"OMPI_COMM_WORLD_LOCAL_SIZE": "4"}) == 4, "bound ranks own their four CPUs"


def test_memory_respects_the_cgroup_and_its_ancestors(cgroup: Path) -> None:
    assert machine.available_memory_bytes() == 800 * 1024
    (cgroup / "memory.max").write_text("max\n")
    (cgroup / "memory.current").write_text("1000\n")
    (cgroup.parent / "memory.max").write_text("500000\n")
    (cgroup.parent / "memory.current").write_text("200000\n")
    (cgroup.parent / "memory.stat").write_text("anon 5\ninactive_file 50000\n")
    assert machine.memory_limit_bytes() == 500000
    assert machine.available_memory_bytes() == 350000


def test_cgroup_v1_is_read_too(cgroup: Path, tmp_path: Path) -> None:
    (tmp_path / "proc" / "self" / "cgroup").write_text("5:memory:/a\n4:cpu,cpuacct:/b\n")
    memory, cpu = tmp_path / "cgroup" / "memory" / "a", tmp_path / "cgroup" / "cpu" / "b"
    memory.mkdir(parents=True)
    cpu.mkdir(parents=True)
    (memory / "memory.limit_in_bytes").write_text("4096\n")
    (memory / "memory.usage_in_bytes").write_text("1024\n")
    (cpu / "cpu.cfs_quota_us").write_text("200000\n")
    (cpu / "cpu.cfs_period_us").write_text("100000\n")
    assert (machine.available_memory_bytes(), machine.cpu_count({})) == (3072, 2)
