"""Without the compiled core the C interface says that it is not there."""

from __future__ import annotations

import pytest

from qfast import capi
from qfast.errors import EngineError


def test_a_pure_build_says_that_it_has_no_c_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capi, "core", None)
    monkeypatch.setattr(capi, "missing_reason", "this is a pure build")
    for function in (capi.get_include, capi.get_library, capi.declarations):
        with pytest.raises(EngineError, match="no C interface: this is a pure build"):
            function()
