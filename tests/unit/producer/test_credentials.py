"""API keys are only sent to the server that they belong to: real servers record what they receive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import runstream
from tests.http_answers import Answers, answering
from tests.polling import eventually
from tests.unit.producer.programs import finished, started

if TYPE_CHECKING:
    from pathlib import Path

_ONLINE = 'import runstream\nrun = runstream.init(id="r1", settings={"silent": True, "finish_timeout_s": 0}'
_SYNC = "from runstream.cli.main import main; sys.exit(main())"


def _keys(served: Answers) -> set[str | None]:
    return {request.key for request in served.requests}


def test_sync_sends_no_key_to_the_url_of_a_run_folder(tmp_path: Path) -> None:
    """`runstream sync` of another person's folder sends the key to its own server only, used if it is named."""
    with answering((401, "")) as stranger, answering((401, "")) as mine:
        offline = 'import runstream\nrunstream.init(mode="offline", settings={"silent": True})'
        assert finished(tmp_path, "", begin=offline, RUNSTREAM_URL=stranger.url)[0] == 0
        own = {"RUNSTREAM_URL": mine.url, "RUNSTREAM_API_KEY": "secret"}
        sync = f"import sys; sys.argv[1:] = ['sync', {str(tmp_path)!r}]; {_SYNC}"
        with started(tmp_path, sync, begin="", RUNSTREAM_API_KEY="secret"):
            eventually(lambda: stranger.requests)
        assert mine.requests == []
        requests = len(stranger.requests)
        with started(tmp_path, sync, begin="", **own):
            eventually(lambda: mine.requests)
    assert len(stranger.requests) == requests
    assert _keys(stranger) == {None}
    assert _keys(mine) == {"secret"}


def test_sync_sends_the_key_to_its_own_server(tmp_path: Path) -> None:
    """The key is sent if the run folder has the server of RUNSTREAM_URL."""
    with answering((401, "")) as mine:
        own = {"RUNSTREAM_URL": mine.url, "RUNSTREAM_API_KEY": "secret"}
        offline = 'import runstream\nrunstream.init(mode="offline", settings={"silent": True})'
        assert finished(tmp_path, "", begin=offline, **own)[0] == 0
        sync = f"import sys; sys.argv[1:] = ['sync', {str(tmp_path)!r}]; {_SYNC}"
        with started(tmp_path, sync, begin="", **own):
            eventually(lambda: mine.requests)
    assert _keys(mine) == {"secret"}


def test_file_of_the_current_folder_does_not_get_the_key(tmp_path: Path) -> None:
    """A base_url in runstream.toml, which may be another person's, does not get RUNSTREAM_API_KEY."""
    with answering((401, "")) as stranger, answering((401, "")) as mine:
        (tmp_path / "runstream.toml").write_text(f'base_url = "{stranger.url}"')
        assert finished(tmp_path, "", begin=f"{_ONLINE})", RUNSTREAM_API_KEY="secret")[0] == 0
        eventually(lambda: len(stranger.requests) > 1)  # also the log of the shipper
        assert _keys(stranger) == {None}

        named = {"RUNSTREAM_URL": mine.url, "RUNSTREAM_API_KEY": "secret"}
        assert finished(tmp_path, "", begin=f"{_ONLINE})", **named)[0] == 0
        assert _keys(mine) == {"secret"}
        assert _keys(stranger) == {None}


def test_key_of_the_settings_goes_to_their_url(tmp_path: Path) -> None:
    """`api_key` is sent to the `base_url` of the same settings instead of the environment's, also by the shipper."""
    with answering((401, "")) as given, answering((401, "")) as other:
        own = {"RUNSTREAM_URL": other.url, "RUNSTREAM_API_KEY": "of-other"}
        both = _ONLINE.replace("{", f'{{"base_url": "{given.url}", "api_key": "of-given", ')
        assert finished(tmp_path, "", begin=f"{both})", **own)[0] == 0
        eventually(lambda: len(given.requests) > 1)
        assert _keys(given) == {"of-given"}

        url_only = _ONLINE.replace("{", f'{{"base_url": "{given.url}", ').replace("r1", "r2")
        given.requests.clear()
        assert finished(tmp_path, "", begin=f"{url_only})", **own)[0] == 0
        assert "of-other" not in _keys(given)
    assert other.requests == []


def test_api_sends_the_key_of_the_environment_to_its_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `base_url` other than RUNSTREAM_URL does not get the key of the environment, but a key passed with it."""
    with answering((200, "{}")) as stranger:
        monkeypatch.setenv("RUNSTREAM_URL", "http://127.0.0.1:1")
        monkeypatch.setenv("RUNSTREAM_API_KEY", "secret")
        overrides = {"base_url": stranger.url}
        for api in (runstream.Api(overrides), runstream.Api(overrides, api_key="passed")):
            with pytest.raises(KeyError):
                api.projects()
        monkeypatch.delenv("RUNSTREAM_URL")
        with pytest.raises(KeyError):
            runstream.Api(overrides).projects()
    assert [request.key for request in stranger.requests] == [None, "passed", "secret"]


def test_a_url_that_is_none_is_an_error_at_once(tmp_path: Path) -> None:
    """`init()`, `Api` and the commands name the URL and where it comes from; a disabled run needs none."""
    source = """
import runstream, sys
from runstream.cli.main import main
def attempt(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except runstream.UsageError as error:
        print(error)
for mode in ("online", "offline", "shared"):
    attempt(runstream.init, mode=mode, id="x")
attempt(runstream.init, settings={"base_url": "ftp://x"})
attempt(runstream.Api)
attempt(runstream.Api, {"base_url": "host:80"})
for command in (["runs"], ["show", "x"], ["stop", "x"], ["sync"], ["sync", "--url", "http://"]):
    sys.argv = ["runstream", *command]
    print(main())
runstream.init(mode="disabled").finish()
"""
    status, output, errors = finished(tmp_path, source, begin="", RUNSTREAM_URL="not-a-url", COLUMNS="400")

    def message(url: str, place: str) -> str:
        return f"Invalid server URL '{url}': expected http(s)://host[:port] (from {place})"

    setting, variable = "base_url or RUNSTREAM_URL", message("not-a-url", "RUNSTREAM_URL")
    assert status == 0
    assert output.splitlines() == [
        *[message("not-a-url", setting)] * 3,
        message("ftp://x", setting),
        message("not-a-url", "base_url or RUNSTREAM_URL"),
        message("host:80", "base_url or RUNSTREAM_URL"),
        *["1"] * 5,
    ]
    lines = [line.removeprefix("runstream: ") for line in errors.splitlines()]
    assert lines[-2:] == [variable, message("http://", "--url")]
    assert all("Invalid server URL 'not-a-url'" in line for line in lines[:-2])
    assert not list(tmp_path.rglob("run.json"))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({}, "{url} requires an API key, and none is known for it: set RUNSTREAM_URL={url} together with"),
        ({"RUNSTREAM_API_KEY": "wrong"}, "{url} does not accept the API key from RUNSTREAM_API_KEY"),
    ],
)
def test_a_refusal_is_the_same_message_everywhere(tmp_path: Path, key: dict[str, str], message: str) -> None:
    """`init()`, `Api` and the commands name the server, the problem and what to set, and do not wait."""
    source = """
import runstream, sys
from runstream.cli.main import main
def attempt(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except runstream.CommError as error:
        print(error)
runstream.init(mode="offline", id="x", settings={"silent": True}).finish()
attempt(runstream.init, id="x", resume="must", settings={"silent": True, "init_timeout": 1e9})
attempt(runstream.Api().run, "ada/p/x")
for command in (["runs"], ["show", "ada/p/x"], ["stop", "ada/p/x"], ["sync"]):
    sys.argv = ["runstream", *command]
    try:
        print("status", main())
    except SystemExit as end:
        print("status", end.code)
runstream.init(id="y").finish()
"""
    with answering((401, "")) as served:
        status, output, errors = finished(
            tmp_path, source, begin="", RUNSTREAM_URL=served.url, COLUMNS="800", RUNSTREAM_FINISH_TIMEOUT_S="0", **key
        )
    assert status == 0, errors
    expected = message.format(url=served.url)
    assert [expected in line for line in output.splitlines() if "status" not in line] == [True, True]
    assert output.count("status 1") == 4, output
    assert errors.count(expected) == 5, errors
