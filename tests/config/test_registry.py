"""Where a value comes from, and what is refused."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfast import config
from qfast.config.providers import Providers
from qfast.config.registry import Registry, Snapshot, Source
from qfast.config.settings import SETTINGS
from qfast.config.tokens import TokenStore
from qfast.errors import ConfigError


@pytest.fixture
def environ() -> dict[str, str]:
    return {}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture
def registry(environ: dict[str, str], file: Path) -> Registry:
    return Registry(environ, file)


def test_every_source_beats_the_one_below_it(registry: Registry, environ: dict[str, str], file: Path) -> None:
    def found() -> tuple[object, Source]:
        row = registry.lookup("default_shots")
        return row.value, row.source

    assert found() == (1024, Source.DEFAULT)
    file.write_text("default_shots = 1\n")
    registry.reload()
    assert found() == (1, Source.FILE)
    environ["QFAST_DEFAULT_SHOTS"] = "2"
    assert found() == (2, Source.ENVIRONMENT)
    registry.set("default_shots", 3)
    assert found() == (3, Source.SET)
    options = registry.check_options({"default_shots": 4}, "session options")
    assert registry.snapshot(options).lookup("default_shots").source is Source.SESSION
    with registry.override(default_shots=5):
        assert found() == (5, Source.OVERRIDE)
        assert registry.snapshot(options)["default_shots"] == 5
        assert registry.resolve("default_shots", 6) == 6
    assert found() == (3, Source.SET)
    registry.unset("default_shots")
    assert found() == (2, Source.ENVIRONMENT)


def test_the_environment_is_read_when_asked(registry: Registry, environ: dict[str, str]) -> None:
    assert registry.get("precision") == "complex128"
    environ["QFAST_PRECISION"] = "complex64"
    assert registry.get("precision") == "complex64"
    del environ["QFAST_PRECISION"]
    assert registry.get("precision") == "complex128"


def test_the_global_registry_follows_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QFAST_NUM_THREADS", "3")
    assert config.get("threads") == 3
    assert config.lookup("threads").place == "environment QFAST_NUM_THREADS"


def test_a_device_has_a_context_of_its_own(registry: Registry, environ: dict[str, str], file: Path) -> None:
    file.write_text('threads = 2\n[devices."hpc::big"]\nthreads = 64\n')
    assert registry.get("threads", device="hpc::big") == 64
    assert registry.get("threads", device="local::statevector") == 2
    registry.set("threads", 5)
    assert registry.get("threads", device="hpc::big") == 5, "config.set beats the file, whoever it is for"
    registry.set("threads", 7, device="hpc::big")
    assert (registry.get("threads", device="hpc::big"), registry.get("threads")) == (7, 5)
    assert registry.devices() == ["hpc::big"]


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_default_is_a_valid_value(name: str) -> None:
    setting = SETTINGS[name]
    assert setting.check(setting.default_value(), "default") == setting.default_value()


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_setting_refuses_a_value_of_the_wrong_type(name: str, registry: Registry) -> None:
    with pytest.raises(ConfigError, match=f"setting '{name}' = .*config.set at test_registry.py.*allowed: "):
        registry.set(name, object())


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("threads", "4", 4),
        ("max_job_bytes", "8GiB", 8 * 2**30),
        ("max_job_bytes", "1.5kB", 1500),
        ("max_job_bytes", "none", None),
        ("recycle_buffers", "off", False),
        ("error_mitigation", "zne, readout", ("readout", "zne")),
        ("error_mitigation", "none", ()),
        ("array_backend", "torch", "pytorch"),
        ("queue_timeout_s", "2.5", 2.5),
        ("seed", str(2**64 - 1), 2**64 - 1),
        ("busy_redirect", "local::reference", "local::reference"),
    ],
)
def test_text_of_the_environment_becomes_a_value(
    registry: Registry, environ: dict[str, str], name: str, text: str, value: object
) -> None:
    environ[SETTINGS[name].environment] = text
    assert registry.get(name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threads", 0),
        ("threads", True),
        ("threads", 2.5),
        ("seed", 2**64),
        ("seed", -1),
        ("precision", "double"),
        ("queue_timeout_s", float("nan")),
        ("queue_timeout_s", float("inf")),
        ("run_timeout_s", -1),
        ("max_job_bytes", "8 apples"),
        ("error_mitigation", "zne"),
        ("error_mitigation", ["prayer"]),
        ("busy_redirect", "::::"),
        ("default_provider", "no spaces"),
    ],
)
def test_a_bad_value_is_refused_and_changes_nothing(registry: Registry, name: str, value: object) -> None:
    before = registry.get(name)
    with pytest.raises(ConfigError, match=name):
        registry.set(name, value)
    assert registry.get(name) == before


def test_a_bad_value_in_the_environment_names_the_variable(registry: Registry, environ: dict[str, str]) -> None:
    environ["QFAST_ENGINE"] = "natve"
    with pytest.raises(ConfigError, match=r"'natve' \(environment QFAST_ENGINE\).*did you mean 'native'"):
        registry.get("engine")


def test_a_misspelt_variable_is_refused_with_the_right_name(registry: Registry, environ: dict[str, str]) -> None:
    registry.get("engine")
    environ["QFAST_PRECISON"] = "complex64"
    with pytest.raises(ConfigError, match=r"QFAST_PRECISON.*did you mean 'QFAST_PRECISION'"):
        registry.get("engine")


def test_variables_of_providers_are_no_misspellings(registry: Registry, environ: dict[str, str]) -> None:
    environ.update(QFAST_HPC_TOKEN="t", QFAST_HPC_BASE_URL="u", QFAST_HPC_API_VERSION="1", HOME="/")
    assert registry.get("engine") == "auto"


@pytest.mark.parametrize(
    "call",
    [
        lambda registry: registry.get("thread"),
        lambda registry: registry.lookup("thread"),
        lambda registry: registry.set("thread", 1),
        lambda registry: registry.unset("thread"),
        lambda registry: registry.override(thread=1).__enter__(),
        lambda registry: registry.snapshot()["thread"],
        lambda registry: registry.resolve("thread", 1),
        lambda registry: registry.check_options({"thread": 1}, "session options"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest_name(
    registry: Registry, call: Callable[[Registry], object]
) -> None:
    with pytest.raises(ConfigError, match=r"'thread'.*did you mean 'threads'"):
        call(registry)


def test_conflicts_list_the_sources_that_disagree(registry: Registry, environ: dict[str, str], file: Path) -> None:
    file.write_text('engine = "numba"\nthreads = 2\n')
    environ["QFAST_ENGINE"] = "reference"
    environ["QFAST_NUM_THREADS"] = "2"
    (conflict,) = registry.conflicts()
    assert conflict.name == "engine"
    assert [r.source for r in conflict.values] == [Source.ENVIRONMENT, Source.FILE]
    assert str(conflict) == f"engine: 'reference' from environment QFAST_ENGINE wins over 'numba' from file {file}"


def test_an_override_belongs_to_its_context_only(registry: Registry) -> None:
    seen = []
    with registry.override(default_shots=1):
        thread = threading.Thread(target=lambda: seen.append(registry.get("default_shots")))
        thread.start()
        thread.join()
    assert seen == [1024]


def test_overrides_nest_and_unwind_on_errors(registry: Registry) -> None:
    def fail_inside() -> None:
        with registry.override(default_shots=1), registry.override(default_shots=2, engine="numba"):
            assert (registry.get("default_shots"), registry.get("engine")) == (2, "numba")
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert registry.get("default_shots") == 1024


def test_a_job_reads_the_snapshot_it_was_submitted_with(registry: Registry) -> None:
    snapshot = registry.snapshot(registry.check_options({"default_shots": 9}, "session options"))
    registry.set("default_shots", 11)

    def run_job() -> None:
        registry.use(snapshot)
        assert registry.get("default_shots") == 9
        with registry.override(default_shots=10):
            assert registry.get("default_shots") == 10

    copy_context().run(run_job)
    assert registry.get("default_shots") == 11


def test_a_snapshot_is_immutable_and_survives_pickling(registry: Registry) -> None:
    snapshot = registry.snapshot()
    registry.set("threads", 3)
    copy = pickle.loads(pickle.dumps(snapshot))
    assert isinstance(copy, Snapshot)
    assert dict(copy) == dict(snapshot)
    assert copy.lookup("threads") == snapshot.lookup("threads")
    changes: list[Callable[[], object]] = [
        lambda: snapshot.update(threads=4),
        lambda: snapshot.pop("threads"),
        snapshot.popitem,
        snapshot.clear,
        lambda: snapshot.setdefault("threads", 4),
        lambda: snapshot.__setitem__("threads", 4),
        lambda: snapshot.__delitem__("threads"),
        lambda: snapshot.__ior__({"threads": 4}),
    ]
    for change in changes:
        with pytest.raises(TypeError, match="does not change"):
            change()
    with pytest.raises(ConfigError, match="did you mean 'threads'"):
        snapshot.get("thread", 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("engine = [", "not valid TOML"),
        ("engin = 'auto'", r"'engin' \(file .*did you mean 'engine'"),
        ("engine = 'fast'", "'engine' = 'fast' .file "),
        ("providers = 3", "'providers' must be a table of tables"),
        ("[providers.hpc]\nbase_ulr = 'x'", "has no 'base_ulr'.*did you mean 'base_url'"),
        ("[providers.hpc]\ntoken = 's3cret'", "holds a token"),
        ("[devices.x]\nthreads = 0", "device x"),
    ],
)
def test_a_bad_file_is_refused_with_its_path(registry: Registry, file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        registry.get("engine")
    assert str(file) in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_readers_and_writers_in_many_threads_see_whole_values(registry: Registry, environ: dict[str, str]) -> None:
    wrong: list[object] = []
    started = threading.Barrier(9)

    def read() -> None:
        started.wait()
        values = [registry.get("default_shots") for _ in range(2000)]
        wrong.extend(value for value in values if value not in (1024, 5, 7))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    started.wait()
    for i in range(300):
        registry.set("default_shots", 5 + 2 * (i % 2))
        registry.unset("default_shots")
    for thread in threads:
        thread.join()
    assert wrong == []


@given(st.lists(st.tuples(st.sampled_from(["set", "unset", "env", "unenv"]), st.integers(1, 9)), max_size=20))
def test_the_value_is_that_of_the_strongest_source_after_any_history(steps: list[tuple[str, int]]) -> None:
    environ: dict[str, str] = {}
    registry = Registry(environ, Path("absent.toml"))
    strongest: dict[str, int] = {}
    for action, value in steps:
        match action:
            case "set":
                registry.set("default_shots", value)
                strongest["set"] = value
            case "unset":
                registry.unset("default_shots")
                strongest.pop("set", None)
            case "env":
                environ["QFAST_DEFAULT_SHOTS"] = str(value)
                strongest["env"] = value
            case _:
                environ.pop("QFAST_DEFAULT_SHOTS", None)
                strongest.pop("env", None)
        assert registry.get("default_shots") == strongest.get("set", strongest.get("env", 1024))


def test_names_of_the_array_back_ends_and_policies() -> None:
    assert [config.normalize_backend_name(n) for n in ("cpu", "pt", "TORCH", " gpu ")] == [
        "numpy",
        "pytorch",
        "pytorch",
        "cupynumeric",
    ]
    assert config.SUPPORTED_BACKENDS == ("numpy", "pytorch", "cupynumeric")
    assert [config.is_valid_vectorization_policy(p) for p in ("auto", "force", "off", "on", None)] == [True] * 3 + [
        False
    ] * 2
    assert (config.PACKAGE_NAME, config.default_dtypes()) == ("qfast", ("complex128", "float64"))
    with pytest.raises(ConfigError, match=r"'numpi' does not exist.*did you mean 'numpy'"):
        config.normalize_backend_name("numpi")


# --- owners -----------------------------------------------------------------------------------------------------------
def test_a_providers_value_stands_between_its_devices_and_everybodys(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('threads = 5\n[providers.hpc]\nbase_url = "https://x"\nthreads = 6\nseed = 9\n')
    registry = Registry({}, path)
    assert [registry.get("threads", device=d) for d in (None, "local::a", "hpc::a")] == [5, 5, 6]
    assert registry.get("seed", device="hpc::b") == 9
    registry.set("threads", 1, provider="hpc")
    registry.set("threads", 2, device="hpc::b")
    registry.set("threads", 3)
    assert [registry.get("threads", device=d) for d in (None, "local::a", "hpc::a", "hpc::b")] == [3, 3, 1, 2]
    assert [c.device for d in registry.devices() for c in registry.conflicts(d)] == ["hpc", "hpc::b"]
    registry.unset("threads", provider="hpc")
    assert registry.get("threads", device="hpc::a") == 3


@pytest.mark.parametrize(
    "owner", [{"device": "::::"}, {"device": 5}, {"device": "bare"}, {"provider": "a::b"}, {"provider": "9"},
              {"device": "a::b", "provider": "a"}],
)  # fmt: skip
def test_a_value_of_nobody_is_refused(owner: dict[str, Any]) -> None:
    registry = Registry({})
    with pytest.raises(ConfigError, match=r"not valid|names neither|is a device's name|leave one out"):
        registry.set("threads", 1, **owner)
    assert (registry.devices(), registry.conflicts()) == ([], [])


@pytest.mark.parametrize("header", ['devices."::::"', 'providers."9"', 'devices."bare name"'])
def test_a_file_with_settings_of_nobody_is_refused(tmp_path: Path, header: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"[{header}]\nthreads = 2\n")
    with pytest.raises(ConfigError, match="names neither a device nor a provider"):
        Registry({}, path).get("threads")


def test_a_misspelt_variable_is_refused_without_its_value() -> None:
    with pytest.raises(ConfigError, match="QFAST_HPC_TOKNE is not one that qfast knows") as error:
        Registry({"QFAST_HPC_TOKNE": "s3cret"}).get("threads")
    assert "s3cret" not in str(error.value)


def test_a_default_device_is_never_read_in_halves() -> None:
    registry = Registry({})
    providers = Providers(registry, TokenStore({}))
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            providers.set_default(device="aa::one")
            providers.set_default(device="bb::two")

    thread = threading.Thread(target=write)
    providers.set_default(device="aa::one")
    thread.start()
    try:
        assert {providers.get_default_device() for _ in range(20_000)} <= {"aa::one", "bb::two"}
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(("variable", "device"), [("hpc::gpu", "hpc::gpu"), ("gpu", "local::gpu")])
def test_a_default_device_may_be_named_in_full(variable: str, device: str) -> None:
    assert Providers(Registry({"QFAST_DEFAULT_DEVICE": variable}), TokenStore({})).get_default_device() == device


def test_a_named_file_that_is_not_there_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    missing = tmp_path / "none.toml"
    assert Registry({"QFAST_CONFIG_FILE": str(missing)}).get("retry_attempts") == 2
    assert f"QFAST_CONFIG_FILE names {missing}, which does not exist" in caplog.text


@pytest.mark.parametrize("name", ["max_total_bytes", "workers", "max_queued_jobs", "default_device", "isa"])
def test_options_that_would_have_no_effect_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name!r} \(options of the job\) is one of the process or the device"):
        Registry({}).check_options({name: "auto"}, "options of the job")


@pytest.mark.parametrize("name", ["threads", "workers"])
@pytest.mark.parametrize("value", [0, 65537, 2**31, 2**64])
def test_no_machine_has_so_many_threads(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=rf"setting {name!r} = {value} .* >= 1 and <= 65536"):
        Registry({}).resolve(name, value)


def test_names_are_instances_of_their_classes() -> None:
    assert isinstance("numpy", config.BackendName)
    assert isinstance("force", config.VectorizationPolicy)
    assert not isinstance("cpu", config.BackendName)
    assert not isinstance(None, config.VectorizationPolicy)
