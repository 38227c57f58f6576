"""The URLs that follow from the names of a run."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest

from runstream.tracking.run.identity import RunIdentity


@pytest.mark.parametrize("name", ["my project 🚀", "a&b", "a+b", "a;b", "50%", "a#b?c", "plain"])
def test_urls_encode_names(name: str) -> None:
    """The path of a URL has one segment for each name, and decodes to the names, whatever characters they contain."""
    run = RunIdentity(entity=name, project=name, run_id=name, name=name, server_url="http://127.0.0.1:8080")

    assert run.url is not None
    url = urlsplit(run.url)
    assert url.path.isascii()
    assert (url.query, url.fragment) == ("", "")
    assert [unquote(part) for part in url.path.split("/")] == ["", name, name, "runs", name]
    assert run.sweep_url(name) == f"{run.project_url}/sweeps/{url.path.rpartition('/')[2]}"
