"""Resumed, rewound and forked runs, with the real client, shipper, Kafka, consumers and API."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runstream import Api
from tests.polling import eventually
from tests.trainers import Server, new_id, plain, run_to_end, start

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.running_stack import Stack


class Trainer:
    """Runs programs one after the other in the same folder.

    Args:
        stack: The stack that they deliver to.
        folder: The folder.
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder

    def start(self, **plan: Any) -> subprocess.Popen[str]:
        """Start a program."""
        return start("resume_run", json.dumps(plan), environment=self._stack.environment, folder=self._folder)

    def run(self, *, environment: dict[str, str] | None = None, **plan: Any) -> dict[str, Any]:
        """Run a program; return the facts that it wrote, with its exit status and output."""
        (self._folder / "facts.json").unlink(missing_ok=True)
        environment = {**self._stack.environment, **(environment or {})}
        status = run_to_end("resume_run", json.dumps(plan), environment=environment, folder=self._folder)
        found: dict[str, Any] = {}
        if (self._folder / "facts.json").exists():
            found = json.loads((self._folder / "facts.json").read_text())
        return {**found, "status": status, "output": (self._folder / "output.txt").read_text()}


@pytest.fixture
def trainer(stack: Stack, tmp_path: Path) -> Trainer:
    """Return a runner of programs that deliver to the stack."""
    return Trainer(stack, tmp_path)


def await_state(server: Server, run_id: str, state: str = "finished") -> Any:
    """Wait until a run is complete and has a state; return it."""
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=120)
    eventually(lambda: server.run(run_id)["state"] == state, within=120)
    return server.run(run_id)


def shown(server: Server, run_id: str, **parameters: Any) -> list[tuple[int, Any]]:
    """Return the step and ``a`` of each row."""
    return [(row["_step"], row["a"]) for row in server.run(run_id, "/scan", **parameters)["rows"]]


def test_a_resumed_run_continues(server: Server, trainer: Trainer) -> None:
    """Steps, summary, config, name, notes and tags are continued; a mean defined after the resume covers all rows."""
    run_id = new_id()
    mean = [{"name": "a", "summary": "mean,last"}]
    first = trainer.run(
        init={"id": run_id, "config": {"lr": 0.1, "deep": {"er": 1}}, "name": "n", "notes": "o", "tags": ["t"]},
        rows=[{"a": 1.0}, {"a": 2.0}, {"a": 6.0}],
        summary={"best": 0.5},
    )
    second = trainer.run(
        init={"id": run_id, "resume": "must", "config": {"lr": 0.2}}, define=mean, rows=[{"a": 7.0}], config={"new": 1}
    )

    assert (first["resumed"], first["starting_step"], first["step"]) == (False, 0, 0)
    assert (second["resumed"], second["starting_step"], second["step"]) == (True, 3, 3), second["output"]
    assert {key: second["summary"][key] for key in ("a", "best")} == {"a": 6.0, "best": 0.5}
    assert second["config"] == {"lr": 0.2, "deep": {"er": 1}}
    assert (second["name"], second["notes"], second["tags"]) == ("n", "o", ["t"])
    assert second["after"]["a"] == {"mean": 4.0, "last": 7.0}
    run = await_state(server, run_id)
    assert run["summary"]["a"] == {"mean": 4.0, "last": 7.0}
    assert run["summary"]["best"] == 0.5
    assert run["config"] == {"lr": 0.2, "deep": {"er": 1}, "new": 1}
    assert (run["name"], run["notes"], run["tags"]) == ("n", "o", ["t"])
    assert shown(server, run_id) == [(0, 1.0), (1, 2.0), (2, 6.0), (3, 7.0)]
    assert len(server.run(run_id, "/series", keys="a")["series"]) == 1


def test_a_run_can_be_resumed_several_times(server: Server, trainer: Trainer) -> None:
    """The rows of three processes that run one after the other are one history without gaps and duplicates."""
    run_id = new_id()
    facts = [trainer.run(init={"id": run_id, "resume": "allow"}, rows=[{"a": part}, {"a": part}]) for part in range(3)]

    assert [(one["resumed"], one["starting_step"]) for one in facts] == [(False, 0), (True, 2), (True, 4)]
    await_state(server, run_id)
    assert shown(server, run_id) == [(step, step // 2) for step in range(6)]


def test_a_crashed_run_is_resumed(server: Server, trainer: Trainer, tmp_path: Path) -> None:
    """Rows logged before SIGKILL are kept, and the state changes from crashed to running and finished."""
    run_id = new_id()
    trainer.run(init={"id": run_id}, rows=[{"a": 1}, {"a": 2}], end="kill")
    eventually(lambda: server.run(run_id)["state"] == "crashed", within=120)

    process = trainer.start(init={"id": run_id, "resume": "must"}, rows=[{"a": 3}], end="wait")
    eventually(lambda: server.run(run_id)["state"] == "running", within=120)
    (tmp_path / "go").touch()

    assert process.wait(120) == 0
    await_state(server, run_id)
    assert shown(server, run_id) == [(0, 1), (1, 2), (2, 3)]
    states = [one["to"] for one in server.run(run_id, "/state")["transitions"] if one["to"] != "pending"]
    assert states[states.index("crashed") :] == ["crashed", "running", "finished"]


def ended(run: Any) -> bool:
    """Return whether the server knows how a run ended; rows that its writers counted may still arrive."""
    return run["state"] == "crashed" or "finishing" in run["qualifiers"]


def test_a_killed_run_is_resumed_while_its_rows_arrive(server: Server, trainer: Trainer) -> None:
    """Once the end is known, steps continue after all rows of the killed process, delivered or not."""
    run_id = new_id()
    trainer.run(init={"id": run_id}, rows=[{"a": step} for step in range(2000)], end="kill")
    eventually(lambda: ended(server.run(run_id)), within=120)

    facts = trainer.run(init={"id": run_id, "resume": "must"}, rows=[{"a": 2000}])

    assert facts["starting_step"] == 2000, facts["output"]
    await_state(server, run_id)
    assert [row["a"] for row in server.rows(run_id)] == list(range(2001))


def test_a_resume_from_an_earlier_step_hides_the_rows_after_it(server: Server, trainer: Trainer) -> None:
    """Logging with the step of a checkpoint hides the rows from that step on; they can still be read."""
    run_id = new_id()
    trainer.run(init={"id": run_id}, rows=[{"a": step} for step in range(5)])
    trainer.run(init={"id": run_id, "resume": "must"}, rows=[[{"a": 20}, 2], [{"a": 30}, 3]])

    await_state(server, run_id)
    assert shown(server, run_id) == [(0, 0), (1, 1), (2, 20), (3, 30)]
    rows = server.run(run_id, "/scan", hidden=True)["rows"]
    assert [row["a"] for row in rows if row.get("_hidden")] == [2, 3, 4]
    assert not any(row["_late"] for row in rows)
    assert trainer.run(init={"id": run_id, "resume": "must"})["starting_step"] == 4


def test_must_and_never_raise_errors(trainer: Trainer) -> None:
    """``must`` requires an id of an existing run, ``never`` the id of a new one."""
    run_id = new_id()
    missing = trainer.run(init={"id": run_id, "resume": "must"})
    nameless = trainer.run(init={"resume": "must"})
    fresh = trainer.run(init={"id": run_id, "resume": "never"}, rows=[{"a": 1}])
    again = trainer.run(init={"id": run_id, "resume": "never"})

    assert missing["error"][0] == nameless["error"][0] == again["error"][0] == "UsageError"
    assert (fresh["resumed"], fresh["status"]) == (False, 0)


def test_auto_resumes_a_run_that_did_not_finish(server: Server, trainer: Trainer) -> None:
    """The latest run of the folder is resumed if it failed, but not if it finished."""
    first = trainer.run(init={"resume": "auto"}, rows=[{"a": 1}], end="raise")
    second = trainer.run(init={"resume": True}, rows=[{"a": 2}])
    third = trainer.run(init={"resume": "auto"}, rows=[{"a": 3}])

    assert second["id"] == first["id"]
    assert (second["resumed"], second["step"]) == (True, 1)
    assert third["id"] != first["id"]
    assert (third["resumed"], third["step"]) == (False, 0)
    assert await_state(server, first["id"])["last_step"] == 1


@pytest.mark.parametrize(
    "arguments", [{"resume": "must"}, {"resume": "never"}, {"resume": "auto"}, {"resume_from": "r?_step=1"}]
)
def test_a_resume_without_a_server_is_an_error(trainer: Trainer, arguments: dict[str, str]) -> None:
    """The error is raised after ``init_timeout`` and explains what to do."""
    init: dict[str, Any] = {"id": "r", **arguments, "settings": {"init_timeout": 1}}
    facts = trainer.run(environment={"RUNSTREAM_URL": "http://127.0.0.1:9"}, init=init)

    assert facts["error"][0] == "CommError"
    assert "runstream up" in facts["error"][1]
    assert "init_timeout" in facts["error"][1]


def test_allow_continues_without_a_server(trainer: Trainer, tmp_path: Path) -> None:
    """Steps are counted from 0, with a warning."""
    settings = {"finish_timeout_s": 0}
    init = {"id": "r", "resume": "allow", "settings": settings}
    facts = trainer.run(environment={"RUNSTREAM_URL": "http://127.0.0.1:9"}, init=init, rows=[{"a": 1}])

    assert (facts["resumed"], facts["step"], facts["status"]) == (False, 0, 0)
    assert "counted from 0" in facts["output"]
    shutil.rmtree(tmp_path / "runstream")  # Its shipper would wait for a server.


def test_implicit_steps_without_a_server_continue_at_delivery(
    stack: Stack, server: Server, trainer: Trainer, tmp_path: Path
) -> None:
    """With ``allow``, implicit steps are relative until the run is delivered; explicit steps are unchanged."""
    run_id = new_id()
    trainer.run(init={"id": run_id}, rows=[{"a": step} for step in range(3)])
    nowhere = {"RUNSTREAM_DATA_DIR": str(tmp_path / "nowhere")}
    init = {"id": run_id, "resume": "allow", "settings": {"finish_timeout_s": 0}}
    facts = trainer.run(environment=nowhere, init=init, rows=[{"a": 10}, {"a": 11}, [{"a": 50}, 50]])
    assert (facts["status"], facts["step"]) == (0, 0), facts["output"]

    (tmp_path / "nowhere").mkdir(exist_ok=True)
    shutil.copy(stack.data_dir / "discovery.json", tmp_path / "nowhere")

    eventually(lambda: len(server.rows(run_id)) == 6, within=120)
    await_state(server, run_id)
    assert shown(server, run_id) == [(0, 0), (1, 1), (2, 2), (3, 10), (4, 11), (50, 50)]
    assert not any(row["_late"] for row in server.rows(run_id))
    assert len(server.run(run_id, "/series", keys="a")["series"]) == 1


def test_a_fork_continues_another_run(stack: Stack, server: Server, trainer: Trainer, monkeypatch: Any) -> None:
    """Each reading function returns the parent's rows up to the step, then the fork's; the parent does not change."""
    parent, child, grandchild = new_id(), new_id(), new_id()
    trainer.run(init={"id": parent, "config": {"lr": 1}}, rows=[{"a": step, "b": 1} for step in range(6)])
    forked = trainer.run(init={"id": child, "fork_from": f"{parent}?_step=3"}, rows=[{"a": 40}, {"a": 50}])
    again = trainer.run(init={"id": grandchild, "fork_from": f"{child}?_step=4"}, rows=[{"a": 500}])

    assert (forked["resumed"], forked["starting_step"], forked["step"]) == (False, 4, 4), forked["output"]
    assert forked["config"] == {}
    assert {key: forked["summary"][key] for key in "ab"} == {"a": 3, "b": 1}
    run = await_state(server, child)
    assert {key: run["summary"][key] for key in "ab"} == {"a": 50, "b": 1}
    assert run["last_step"] == 5
    assert shown(server, child) == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 40), (5, 50)]
    (series,) = server.run(child, "/series", keys="a")["series"]
    assert (series["steps"], series["values"]) == ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 40, 50])
    sampled = server.run(child, "/history", samples=4)
    assert sampled["sampled"]
    assert sampled["rows"][0]["_step"] == 0
    charts = httpx.get(
        f"{stack.url}/{stack.entity}/tests/runs/{child}/charts", headers={"Authorization": f"Bearer {stack.token}"}
    )
    assert "b" in {chart["key"] for section in charts.json()["sections"] for chart in section["charts"]}
    assert again["starting_step"] == 5
    await_state(server, grandchild)
    assert shown(server, grandchild) == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 40), (5, 500)]
    await_state(server, parent)
    assert shown(server, parent) == [(step, step) for step in range(6)]
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    read = Api().run(f"tests/{child}")
    assert [row["a"] for row in read.scan_history()] == [0, 1, 2, 3, 40, 50]
    assert list(read.history(pandas=False))[-1]["a"] == 50


def test_a_rewound_run_hides_later_rows(server: Server, trainer: Trainer) -> None:
    """Steps continue after the step, later rows are hidden, and a resume continues from the new last step."""
    run_id = new_id()
    trainer.run(init={"id": run_id, "config": {"lr": 1}}, rows=[{"a": step, "b": step} for step in range(6)])
    rewound = trainer.run(init={"resume_from": f"{run_id}?_step=2"}, rows=[{"a": 30}])
    resumed = trainer.run(init={"id": run_id, "resume": "must"}, rows=[{"a": 40}])

    assert (rewound["id"], rewound["resumed"], rewound["starting_step"]) == (run_id, True, 3), rewound["output"]
    assert rewound["config"] == {"lr": 1}
    assert {key: rewound["summary"][key] for key in "ab"} == {"a": 2, "b": 2}
    assert (resumed["starting_step"], resumed["summary"]["a"]) == (4, 30)
    run = await_state(server, run_id)
    assert shown(server, run_id) == [(0, 0), (1, 1), (2, 2), (3, 30), (4, 40)]
    assert {key: run["summary"][key] for key in "ab"} == {"a": 40, "b": 2}
    assert run["last_step"] == 4
    hidden = [row for row in server.run(run_id, "/scan", hidden=True)["rows"] if row.get("_hidden")]
    assert [plain(row)["a"] for row in hidden] == [3, 4, 5]


def test_an_invalid_fork_or_rewind_is_refused(trainer: Trainer) -> None:
    """An unknown run, an unknown step, the id of an existing run, and invalid arguments."""
    run_id, other = new_id(), new_id()
    trainer.run(init={"id": run_id}, rows=[{"a": 1}])
    trainer.run(init={"id": other}, rows=[{"a": 1}])

    assert trainer.run(init={"fork_from": f"{new_id()}?_step=0"})["error"][0] == "UsageError"
    assert trainer.run(init={"fork_from": f"{run_id}?_step=1"})["error"][0] == "UsageError"
    assert trainer.run(init={"resume_from": f"{run_id}?_step=1"})["error"][0] == "UsageError"
    assert trainer.run(init={"id": other, "fork_from": f"{run_id}?_step=0"})["error"][0] == "UsageError"
    assert trainer.run(init={"fork_from": run_id})["error"][0] == "ValueError"
    assert trainer.run(init={"fork_from": f"{run_id}?_step=0", "resume": "allow"})["error"][0] == "ValueError"
