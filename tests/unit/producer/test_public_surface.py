"""The names of the public `Run` and of `Api` in W&B's reference documentation."""

from __future__ import annotations

import inspect

import pytest

import runstream
from runstream.apis import public

_PROPERTIES = """
    state entity username storage_id id name config summary system_metrics summary_metrics rawconfig sweep_name sweep
    path url metadata lastHistoryStep
""".split()  # noqa: SIM905 - as in the document
#: Methods with their parameters, which may be followed by keyword-only ones.
_METHODS = {
    "beta_scan_history": "keys page_size min_step max_step use_cache",
    "create": "api run_id project entity state",
    "delete": "delete_artifacts",
    "download_history_exports": "download_dir require_complete_history",
    "file": "name",
    "files": "names pattern per_page",
    "history": "samples keys x_axis pandas stream",
    "load": "force",
    "load_full_data": "force",
    "log_artifact": "artifact aliases tags",
    "logged_artifacts": "per_page",
    "save": "",
    "scan_history": "keys page_size min_step max_step use_cache",
    "to_html": "height hidden",
    "update": "",
    "update_state": "state",
    "upload_file": "path root",
    "use_artifact": "artifact use_as",
    "used_artifacts": "per_page",
    "wait_until_finished": "",
}
_API = {
    "create_project": "name entity",
    "flush": "",
    "from_path": "path",
    "project": "name entity",
    "projects": "entity per_page",
    "run": "path",
    "runs": "path filters order per_page include_sweeps lazy",
    "sweep": "path",
}


def parameters(function: object) -> list[str]:
    """Return the names of the positional parameters of a method."""
    assert callable(function)
    found = inspect.signature(function).parameters.values()
    return [one.name for one in found if one.kind is not inspect.Parameter.KEYWORD_ONLY and one.name != "self"]


def test_the_public_run_has_every_property() -> None:
    """Each property of document 003 is one."""
    for name in _PROPERTIES:
        assert isinstance(inspect.getattr_static(public.Run, name), property), name


@pytest.mark.parametrize(("owner", "expected"), [(public.Run, _METHODS), (public.Api, _API)])
def test_methods_have_the_parameters_of_the_reference(owner: type, expected: dict[str, str]) -> None:
    """Names and order of the positional parameters are those of the reference."""
    for name, names in expected.items():
        assert parameters(getattr(owner, name)) == names.split(), name


def test_the_classes_are_those_of_the_package() -> None:
    """``runstream.Api`` is that of the public API, whose ``Run`` is not the one of ``init()``."""
    assert public.Api is runstream.Api
    assert public.Run.__module__ != runstream.Run.__module__
    assert isinstance(inspect.getattr_static(public.Api, "viewer"), property)
    assert isinstance(inspect.getattr_static(public.Api, "default_entity"), property)
