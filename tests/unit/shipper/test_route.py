"""The server of a run, and its last answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runstream.run_folder.folder import RunFolder
from runstream.settings import Settings
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.transport.route import NoServerError, Route
from runstream.tracking.run.identity import RunIdentity
from runstream.tracking.startup.server_lookup import look_up_server
from tests.http_answers import answering
from tests.unit.producer.test_discovery import GOOD

if TYPE_CHECKING:
    from pathlib import Path

_RUN = {
    "version": 1,
    "run_id": "r",
    "entity": None,
    "project": "p",
    "mode": "online",
    "started": 0,
    "generated_name": "calm-lake",
}


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_ends_the_use_of_an_earlier_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """An earlier answer is used while the server is down, but not once it refuses the key: nothing is delivered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "run.json").write_text(json.dumps(_RUN))
    with answering((200, json.dumps(GOOD)), (503, ""), (status, "")) as served:
        environ = {"RUNSTREAM_URL": served.url, "RUNSTREAM_API_KEY": "wrong", "RUNSTREAM_DATA_DIR": str(tmp_path)}
        route = Route(RunFolder(tmp_path).info, environ, ShipperSettings())
        assert [(await route.connect()).brokers for _ in range(2)] == ["b:1"] * 2
        with pytest.raises(NoServerError, match=served.url):
            await route.connect()
        found = look_up_server(RunIdentity(entity=None, project="p", run_id="r", name="n"), Settings(), environ)
    assert (found.refused, found.identity.entity, found.identity.server_url) == (True, None, None)
