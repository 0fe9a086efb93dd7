"""Tokens, endpoints and default devices."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import stat
import subprocess
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from qfast.config.providers import Providers, split_device
from qfast.config.registry import Registry
from qfast.config.tokens import Token, TokenStore
from qfast.errors import ConfigError

SECRET = "s3cret-value"


@pytest.fixture
def environ() -> dict[str, str]:
    return {}


@pytest.fixture
def auth(tmp_path: Path) -> Path:
    return tmp_path / "qfast" / "auth.json"


@pytest.fixture
def providers(environ: dict[str, str], auth: Path, tmp_path: Path) -> Providers:
    return Providers(Registry(environ, tmp_path / "config.toml"), TokenStore(environ, auth))


class FakeKeyring(types.ModuleType):
    """A keyring library that keeps its passwords in a dictionary; ``failure`` is raised instead of answering."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.__spec__ = ModuleSpec("keyring", None)
        self.passwords: dict[tuple[str, str], str] = {}
        self.failure: Exception | None = None
        self.errors = types.SimpleNamespace(KeyringError=KeyringError, NoKeyringError=NoKeyringError)

    def get_password(self, service: str, name: str) -> str | None:
        self._answer()
        return self.passwords.get((service, name))

    def set_password(self, service: str, name: str, secret: str) -> None:
        self._answer()
        self.passwords[service, name] = secret

    def delete_password(self, service: str, name: str) -> None:
        del self.passwords[service, name]

    def _answer(self) -> None:
        if self.failure is not None:
            raise self.failure


class KeyringError(Exception):
    pass


class NoKeyringError(KeyringError, RuntimeError):
    pass


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    fake = FakeKeyring()
    monkeypatch.setitem(sys.modules, "keyring", fake)
    return fake


def revealed(token: Token | None) -> str | None:
    return None if token is None else token.reveal()


def test_a_token_is_looked_up_from_the_device_down_to_the_file(
    providers: Providers, environ: dict[str, str], keyring: FakeKeyring
) -> None:
    assert providers.get_token(provider="hpc", device="big") is None
    providers.set_token("file", provider="hpc", store="file")
    assert revealed(providers.get_token(provider="hpc")) == "file"
    providers.set_token("ring", provider="hpc", store="keyring")
    assert revealed(providers.get_token(provider="hpc")) == "ring"
    environ["QFAST_HPC_TOKEN"] = "env"
    assert revealed(providers.get_token(provider="hpc")) == "env"
    providers.set_token("memory", provider="hpc")
    assert revealed(providers.get_token(device="hpc::big")) == "memory"
    providers.set_token("device", device="hpc::big", store="file")
    assert revealed(providers.get_token(device="hpc::big")) == "device"
    assert [t.place.split()[0] for t in providers.find_tokens(device="hpc::big")] == [
        "file",
        "config.set_token",
        "environment",
        "keyring",
        "file",
    ]


def test_a_device_token_never_becomes_its_providers(providers: Providers) -> None:
    providers.set_token(SECRET, device="hpc::big")
    assert providers.get_token(provider="hpc") is None
    assert providers.get_token(device="hpc::small") is None


def test_a_token_is_masked_wherever_it_is_shown(
    providers: Providers, caplog: pytest.LogCaptureFixture, environ: dict[str, str]
) -> None:
    providers.set_token(SECRET, provider="hpc")
    environ["QFAST_HPC_TOKEN"] = "another"
    token = providers.get_token(provider="hpc")
    assert token is not None
    logging.getLogger("test").warning("token %s %r", token, token)
    (conflict,) = providers.conflicts("hpc")
    shown = [
        f"{token} {token!r} {[token]}",
        str(providers.endpoint("hpc")),
        str(providers.find_tokens(provider="hpc")),
        repr(providers._tokens),
        str(conflict),
        caplog.text,
        repr(pickle.dumps(token)),
    ]
    assert not [text for text in shown if SECRET in text or "another" in text]
    assert "****" in str(conflict)


def test_a_token_does_not_travel_in_a_pickle() -> None:
    copy = pickle.loads(pickle.dumps(Token(SECRET)))
    with pytest.raises(ConfigError, match="pickle"):
        copy.reveal()


def test_the_auth_file_is_written_for_its_owner_only(providers: Providers, auth: Path) -> None:
    providers.set_token(SECRET, provider="hpc", store="file")
    assert stat.S_IMODE(auth.stat().st_mode) == 0o600
    assert json.loads(auth.read_text()) == {"hpc": SECRET}
    assert [p.name for p in auth.parent.iterdir()] == ["auth.json"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_an_auth_file_that_others_can_open_is_refused(providers: Providers, auth: Path, mode: int) -> None:
    providers.set_token(SECRET, provider="hpc", store="file")
    auth.chmod(mode)
    with pytest.raises(ConfigError, match=f"mode {mode:04o}.*chmod 600") as caught:
        providers.get_token(provider="hpc")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("text", ["{'hpc'", f'{{"hpc": {SECRET}}}', '["s3cret-value"]', '{"hpc": 3}'])
def test_a_broken_auth_file_is_refused_without_its_content(providers: Providers, auth: Path, text: str) -> None:
    auth.parent.mkdir()
    auth.write_text(text)
    auth.chmod(0o600)
    with pytest.raises(ConfigError, match="auth file") as caught:
        providers.get_token(provider="hpc")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_token_can_be_taken_back(providers: Providers) -> None:
    providers.set_token(SECRET, provider="hpc", store="file")
    providers.set_token(SECRET, provider="hpc")
    providers.unset_token(provider="hpc")
    assert providers.get_token(provider="hpc") is None


def test_a_token_in_the_keyring_is_found_and_can_be_taken_back(providers: Providers, keyring: FakeKeyring) -> None:
    providers.set_token(SECRET, provider="hpc", store="keyring")
    assert keyring.passwords == {("qfast", "hpc"): SECRET}
    assert revealed(providers.get_token(provider="hpc", device="big")) == SECRET
    providers.unset_token(provider="hpc")
    assert (providers.get_token(provider="hpc"), keyring.passwords) == (None, {})


def test_a_machine_without_a_keyring_service_has_no_tokens_there(providers: Providers, keyring: FakeKeyring) -> None:
    keyring.failure = NoKeyringError("No recommended backend was available.")
    assert providers.get_token(provider="hpc") is None
    providers.unset_token(provider="hpc")
    with pytest.raises(ConfigError, match=r"took no token: No recommended .*; use store='file'"):
        providers.set_token(SECRET, provider="hpc", store="keyring")


def test_a_locked_keyring_is_an_error_and_not_an_empty_one(providers: Providers, keyring: FakeKeyring) -> None:
    keyring.failure = KeyringError("locked")
    with pytest.raises(ConfigError, match="cannot be read: locked; unlock it"):
        providers.get_token(provider="hpc")


def test_tokens_of_two_sources_conflict_also_for_a_provider_that_only_the_auth_file_names(
    providers: Providers, environ: dict[str, str]
) -> None:
    providers.set_token("old", provider="hpc", store="file")
    environ["QFAST_HPC_TOKEN"] = "new"
    assert providers.known() == ["hpc", "local"]
    (conflict,) = providers.conflicts("hpc")
    assert [row.place.split()[0] for row in conflict.values] == ["environment", "file"]
    assert "old" not in str(conflict)
    assert "new" not in str(conflict)


def test_what_wins_of_an_endpoint_is_told_with_its_place(providers: Providers, environ: dict[str, str]) -> None:
    environ["QFAST_HPC_BASE_URL"] = "http://environment"
    providers.set_endpoint("hpc", base_url="http://program")
    providers.set_token(SECRET, provider="hpc")
    rows = {row.name: (str(row.value), row.place) for row in providers.endpoint_sources("hpc")}
    assert rows == {
        "hpc.base_url": ("http://program", "config.set_endpoint"),
        "hpc.token": ("****", "config.set_token"),
    }


def test_the_keyring_is_asked_for_only_where_it_is_installed(
    providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert providers.get_token(provider="hpc") is None
    with pytest.raises(ConfigError, match="pip install"):
        providers.set_token(SECRET, provider="hpc", store="keyring")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"token": "  "}, "empty"),
        ({"token": "x", "provider": "no spaces"}, "not a valid name"),
        ({"token": "x", "device": "a::b::c"}, "'a::b::c' is not valid"),
        ({"token": "x", "provider": "hpc", "device": "other::big"}, "not one of provider 'hpc'"),
        ({"token": "x", "store": "cloud"}, "'cloud' does not exist"),
    ],
)
def test_bad_owners_and_tokens_are_refused(providers: Providers, arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        providers.set_token(**arguments)  # type: ignore[arg-type]


def test_an_endpoint_is_put_together_from_its_sources(
    providers: Providers, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text('[providers.my-hpc]\nbase_url = "file"\napi_version = "1"\n')
    environ["QFAST_MY_HPC_BASE_URL"] = "env"
    endpoint = providers.endpoint("my-hpc")
    assert (endpoint.base_url, endpoint.api_version, endpoint.token) == ("env", "1", None)
    providers.set_endpoint("my-hpc", base_url="set")
    assert providers.endpoint("my-hpc").base_url == "set"
    assert [str(c).split(":")[0] for c in providers.conflicts("my-hpc")] == ["my-hpc.base_url"]
    assert providers.known() == ["local", "my-hpc"]


def test_the_default_device_can_be_set_whole_or_in_parts(providers: Providers) -> None:
    assert (providers.get_default_provider(), providers.get_default_device()) == ("local", "local::statevector")
    providers.set_default(device="reference")
    assert providers.get_default_device() == "local::reference"
    providers.set_default(provider="hpc", device="big")
    assert providers.get_default_device() == "hpc::big"
    providers.set_default(device="local::statevector")
    assert (providers.get_default_provider(), providers.get_default_device()) == ("local", "local::statevector")
    with pytest.raises(ConfigError, match="not one of provider"):
        providers.set_default(provider="hpc", device="local::statevector")


@pytest.mark.parametrize("device", ["", "::", "a::", "::b", "a::b::c", "a b"])
def test_a_malformed_device_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match="provider::name"):
        split_device(device, "local")


def test_processes_that_write_at_once_lose_no_token(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    code = (
        "import sys; from pathlib import Path; from qfast.config import TokenStore\n"
        "store = TokenStore({}, Path(sys.argv[1]))\n"
        "for i in range(15): store.set(f'p{sys.argv[2]}x{i}', 's', 'file')"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(n)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for n in range(3)
    ]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert len(TokenStore({}, path).owners()) == 45


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "elsewhere" / "auth.json", tmp_path / "auth.json"
    real.parent.mkdir()
    link.symlink_to(real)
    TokenStore({}, link).set("hpc", "s3cret", "file")
    assert link.is_symlink()
    assert "s3cret" in real.read_text()


def test_a_copy_of_a_token_stays_in_the_process_and_keeps_its_secret() -> None:
    token = Token("s3cret")
    assert copy.copy(token).reveal() == copy.deepcopy({"t": token})["t"].reveal() == "s3cret"
