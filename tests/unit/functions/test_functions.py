"""Consumers that are one function: the items that they receive, and the messages that they request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from runstream_consumers.functions import Run, consumer, webhook
from runstream_consumers.functions.run import Selection
from runstream_consumers.runtime.exceptions import UnknownConsumer
from runstream_consumers.runtime.plugin import Received
from runstream_consumers.runtime.registry import find_consumer, load_settings
from runstream_consumers.settings import SettingsError
from runstream_schemas import events
from runstream_schemas.codec import encode
from runstream_schemas.topics import Topic
from tests.integration.runtime.events import beat, block, changes, run_in, writer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAN = float("nan")


def received(*found: events.Event) -> list[Received]:
    """Return events as a consumer receives them."""
    return [
        Received(topic=event.topic, partition=0, offset=offset, append_time=1, message=encode(event), event=event)
        for offset, event in enumerate(found)
    ]


def rows_of(selection: Selection, *found: events.Event) -> dict[str, list[Any]]:
    """Return the items by run and topic."""
    return {f"{run.id} {run.topic.value}": items for run, items in selection.by_run(received(*found))}


def test_rows_have_their_values_step_and_time() -> None:
    """The rows of all blocks of a run arrive together, in order, and nested dicts as they were logged."""
    first, second = run_in(0), run_in(1)
    found = rows_of(
        Selection(),
        block(first, writer(1), 0, 2, rows=[{"loss": 0.5, "grad": {"norm": 2}}, {"text": "a"}]),
        block(second, writer(2), 0, 1, rows=[{"loss": 1.0}]),
        block(first, writer(3), 0, 1, rows=[{"loss": 0.25}], steps=[7]),
        block(first, writer(1), 0, 1, rows=[{"cpu": 1}], stream=events.Stream.SYSTEM),
    )
    assert found == {
        f"{first.run_id} log": [{"loss": 0.5, "grad": {"norm": 2}}, {"text": "a"}, {"loss": 0.25}],
        f"{second.run_id} log": [{"loss": 1.0}],
    }
    row = found[f"{first.run_id} log"][2]
    assert (row.step, row.time) == (7, datetime(1970, 1, 1, tzinfo=UTC))


def test_keys_select_rows_and_values() -> None:
    """Only rows that have one of the names are passed on, with these values only."""
    rows: list[dict[str, Any]] = [{"loss": 0.5, "x": 1}, {"x": 2}, {"grad": {"norm": 2, "max": 3}}, {"grad.norm": 4}]
    found = rows_of(Selection(keys={"loss", "grad"}), block(run_in(0), writer(1), 0, 4, rows=rows))
    (rows_found,) = found.values()
    assert rows_found == [{"loss": 0.5}, {"grad": {"norm": 2, "max": 3}}]
    assert [row.step for row in rows_found] == [0, 2]
    assert rows_of(Selection(keys={"y"}), block(run_in(0), writer(1), 0, 4, rows=rows)) == {}


def test_other_topics_are_passed_as_events() -> None:
    """Each topic of a run is passed separately; ticks and dropped records are left out."""
    run, by = run_in(0), writer(1)
    header = events.Header(kind=events.Kind.DROPPED, run=run, writer=by, time=1, count=3)
    no_rows: Any = block(run, by, 0, 0)
    dropped = events.LogEvent(
        header=header, stream=events.Stream.HISTORY, orders=no_rows.orders, steps=no_rows.steps, times=no_rows.times
    )
    found = rows_of(Selection(), dropped, changes(run, by, 0, ["1"]), beat(run, by))
    assert {name: [type(item) for item in items] for name, items in found.items()} == {
        f"{run.run_id} config": [events.ChangeEvent],
        f"{run.run_id} heartbeat": [events.HeartbeatEvent],
    }


def test_a_time_that_no_calendar_has_is_the_last_one() -> None:
    """A wrong clock of a client does not make the row fail."""
    event = block(run_in(0), writer(1), 0, 1)
    for time, year in ((2**62, 9999), (-(2**62), 1)):
        event.times[:] = time
        ((row,),) = rows_of(Selection(), event).values()
        assert row.time.year == year


def test_a_key_requests_one_message() -> None:
    """The first message of a key counts; a value that JSON does not have is an error where it is passed."""
    run = Run(run_in(0), Topic.LOG)
    run.once("nan", {"text": "a", "loss": NAN})
    run.once("nan", {"text": "b"})
    assert list(run.messages) == ["nan"]
    assert '"a"' in run.messages["nan"]
    with pytest.raises(TypeError):
        run.once("other", object())
    assert (str(run), run.id) == (f"team/digits/{run.id}", run_in(0).run_id)


def test_a_decorated_function_stays_a_function() -> None:
    """It can be called, and has the name and documentation that it had."""

    @consumer("mine", topics=["alert", "state"], start="now")
    def mine(run: Run, items: Sequence[events.Event]) -> None:
        """Count."""
        run.once("count", len(items))

    run = Run(run_in(0), Topic.ALERT)
    mine(run, [])
    assert run.messages == {"count": "0"}
    assert (mine.name, mine.__doc__, mine.declaration.start) == ("mine", "Count.", "now")
    assert mine.topics == {Topic.ALERT, Topic.STATE}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"topics": ["logs"]}, r"Unknown topics \['logs'\]: expected some of log, config"),
        ({"topics": "log"}, r"Invalid topics 'log': expected a list, such as \['log'\]"),
        ({"keys": "loss"}, r"Invalid keys 'loss': expected a list, such as \['loss'\]"),
        ({"stream": "stdout"}, "Invalid stream 'stdout': expected one of history, system, console"),
        ({"name": "My Alert"}, "Invalid name of a consumer 'My Alert': use lower-case letters"),
        ({"name": len}, r'expected @consumer\("NAME"\)'),
        ({"deliver": "https://x.example"}, "Invalid deliver 'https://x.example': expected webhook"),
    ],
    ids=["topic", "topics", "keys", "stream", "name", "parentheses", "deliver"],
)
def test_a_mistake_in_the_declaration_is_an_error_that_names_what_is_expected(
    arguments: dict[str, Any], message: str
) -> None:
    """It is found when the file is loaded, and nothing is consumed."""
    with pytest.raises((TypeError, ValueError), match=message):
        consumer(**{"name": "mine", **arguments})


def test_a_function_or_a_webhook_that_cannot_work_is_an_error() -> None:
    """A function without the parameter for rows, and a webhook that is a URL instead of a variable, are refused."""
    with pytest.raises(TypeError, match=r"Invalid function of consumer mine: expected \(run, rows\)"):
        consumer("mine")(len)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected the name of an environment variable"):
        webhook("https://hooks.example/x")


def test_keys_of_messages_can_be_stored() -> None:
    """A key that Postgres cannot store is escaped or shortened, and different keys remain different."""
    run = Run(run_in(0), Topic.LOG)
    for key in ("a\0b", "\ud800", "k" * 5000, "k" * 5001):
        run.once(key, 1)
    assert [*run.messages][:2] == ["a\\x00b", "\\ud800"]
    assert len(run.messages) == 4
    assert max(map(len, run.messages)) == 200
    with pytest.raises(TypeError, match="Invalid key 5 of a message: expected a text, such as '5'"):
        run.once(5, 1)  # type: ignore[arg-type]


def test_a_webhook_needs_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is missing or not a URL is an error at the start; the value is not shown."""

    @consumer("mine", deliver=webhook("MY_HOOK"))
    def mine(run: Run, items: Sequence[Any]) -> None:
        """Do nothing."""

    monkeypatch.delenv("MY_HOOK", raising=False)
    with pytest.raises(SettingsError, match=r"^MY_HOOK is not set: set it .* \(the URL that receives the messages\)$"):
        load_settings(mine)
    monkeypatch.setenv("MY_HOOK", "secret")
    with pytest.raises(SettingsError, match=r"^Invalid MY_HOOK: Input should be a valid URL"):
        load_settings(mine)
    monkeypatch.setenv("MY_HOOK", "https://hooks.example/x")
    load_settings(mine)


ONE = """
from runstream_consumers.functions import consumer
import neighbor

@consumer({name!r})
def found(run, rows):
    pass
"""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", r"must define exactly one consumer, with @consumer or as a class; found: none"),
        (ONE.format(name="one") + ONE.format(name="two").replace("def found", "def other"), "found: one, two"),
        (ONE.format(name="runtime"), "Invalid name of a consumer 'runtime'"),
        (ONE.format(name="history"), "Invalid name of a consumer 'history': a built-in one has it"),
    ],
)
def test_a_file_must_define_one_consumer(tmp_path: Path, source: str, message: str) -> None:
    """A file without a consumer, with several, or with one that would use a foreign schema is refused."""
    (tmp_path / "neighbor.py").write_text("")
    (tmp_path / "mine.py").write_text(source)
    with pytest.raises(UnknownConsumer, match=message):
        find_consumer(str(tmp_path / "mine.py"))


def test_a_file_is_loaded_with_its_neighbors(tmp_path: Path) -> None:
    """The file may import modules of its folder, and defines the consumer as a function or as a class."""
    (tmp_path / "neighbor.py").write_text("")
    (tmp_path / "fine.py").write_text(ONE.format(name="mine"))
    assert find_consumer(str(tmp_path / "fine.py")).name == "mine"
    (tmp_path / "classic.py").write_text(
        "class Mine:\n    name, topics, migrations = 'classic', frozenset(), None\n"
        "    def partition(self, number, context):\n        ...\n"
    )
    assert find_consumer(str(tmp_path / "classic.py")).name == "classic"
    with pytest.raises(UnknownConsumer, match=r"No file .*none\.py: expected a Python file"):
        find_consumer(str(tmp_path / "none.py"))
