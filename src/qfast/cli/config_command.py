"""``qfast config [list | get | set | unset | conflicts]``: what is set, where, and what disagrees."""

from __future__ import annotations

import argparse
import json
from typing import Any

from qfast import config
from qfast.config.files import edit_setting
from qfast.config.settings import find_setting

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to ``qfast``; its handler is `run`."""
    parser = subparsers.add_parser("config", help="show and change settings", description=__doc__)
    parser.set_defaults(handler=run, action="list", device=None, changed=False, json=False)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", help="default: list")
    listing = actions.add_parser("list", help="show every setting, where its value comes from, and its variable")
    listing.add_argument("--changed", action="store_true", help="leave out those at their default")
    get = actions.add_parser("get", help="print one value")
    assign = actions.add_parser("set", help="write a value into the configuration file")
    unset = actions.add_parser("unset", help="remove a value from the configuration file")
    conflicts = actions.add_parser("conflicts", help="list sources that disagree; exit code 1 if there are any")
    for action in (get, assign, unset):
        action.add_argument("name", help="setting, such as threads")
    assign.add_argument("value", help="as in the environment: 4, 8GiB, none, zne,readout")
    for action in (listing, get, assign, unset):
        action.add_argument("--device", metavar="PROVIDER::NAME", help="of this device only")
    for action in (listing, get, conflicts):
        action.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed command line asks; return the exit code."""
    device = arguments.device
    if device is not None:
        device = "::".join(config.split_device(device, config.get_default_provider()))
    match arguments.action or "list":
        case "list":
            _print_list(device, changed=arguments.changed, as_json=arguments.json)
        case "get":
            row = config.lookup(arguments.name, device=device)
            print(json.dumps(_plain(row)) if arguments.json else _text(row.value))
        case "set":
            path = config.file_path()
            value = find_setting(arguments.name).parse(arguments.value, "command line")
            edit_setting(path, arguments.name, "none" if value is None else value, device=device)
            config.reload()
            _report_winner(arguments.name, device)
        case "unset":
            edit_setting(config.file_path(), arguments.name, None, device=device)
            config.reload()
        case "conflicts":
            return _print_conflicts(as_json=arguments.json)
    return 0


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


def _plain(row: config.Resolved) -> dict[str, Any]:
    value = str(row.value) if isinstance(row.value, config.Token) else row.value
    return {"name": row.name, "value": value, "source": row.source.name.lower(), "place": row.place}


def _described(name: str) -> dict[str, str]:
    setting = config.SETTINGS[name]
    return {"environment": setting.environment, "doc": setting.doc}


def _print_list(device: str | None, *, changed: bool, as_json: bool) -> None:
    snapshot = config.snapshot(device=device)
    rows = [snapshot.lookup(name) for name in snapshot]
    if changed:
        rows = [row for row in rows if row.source is not config.Source.DEFAULT]
    if as_json:
        print(json.dumps([{**_plain(row), **_described(row.name)} for row in rows], indent=1))
        return
    lines = [(r.name, _text(r.value), r.place, *_described(r.name).values()) for r in rows]
    endpoints = [row for provider in config.known_providers() for row in config.endpoint_sources(provider)]
    lines += [(row.name, _text(row.value), row.place, "", "") for row in endpoints]
    widths = [max((len(line[column]) for line in lines), default=0) for column in range(4)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, [*widths, 0], strict=True)).rstrip())
    print(f"\nfile: {config.file_path()}   default device: {config.get_default_device()}")
    if disagreements := len(config.conflicts()):
        print(f"{disagreements} conflicts: see `qfast config conflicts`")


def _report_winner(name: str, device: str | None) -> None:
    """Say so when what was just written is not what counts."""
    row = config.lookup(name, device=device)
    if row.source is not config.Source.FILE:
        print(f"written, but {row.place} says {_text(row.value)}, which wins")


def _print_conflicts(*, as_json: bool) -> int:
    found = config.conflicts()
    if as_json:
        rows = [{"name": c.name, "device": c.device, "values": [_plain(row) for row in c.values]} for c in found]
        print(json.dumps(rows, indent=1))
    else:
        print("\n".join(map(str, found)) or "no two sources disagree")
    return 1 if found else 0
