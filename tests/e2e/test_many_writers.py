"""Many processes that write to one run: no rows are lost, and each row, line and metric has its writer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.polling import eventually
from tests.trainers import Server, new_id, run_to_end, start

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

FOLDERS, WRITERS, ROWS = 10, 1000, 3


@pytest.mark.timeout(400)
def test_a_thousand_writers_lose_nothing(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Each row of a thousand writers in ten run folders is stored exactly once, and the run is complete."""
    run_id, each = new_id(), WRITERS // FOLDERS
    processes = [
        start(
            "fork_writers",
            *("--id", run_id, "--first", rank * each, "--writers", each, "--rows", ROWS),
            environment={**stack.environment, "RANK": str(rank), "WORLD_SIZE": str(FOLDERS)},
            folder=tmp_path / str(rank),
        )
        for rank in range(FOLDERS)
    ]

    assert [process.wait(240) for process in processes] == [0] * FOLDERS

    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=120)
    rows = server.rows(run_id)
    assert Counter((row["writer"], row["row"]) for row in rows) == {
        (writer, row): 1 for writer in range(WRITERS) for row in range(ROWS)
    }
    of_writer = {row["writer"]: row["_writer"] for row in rows}
    assert len(set(of_writer.values())) == WRITERS
    assert all(of_writer[row["writer"]] == row["_writer"] for row in rows)
    roles = Counter(writer["role"] for writer in server.run(run_id, "/delivery")["writers"])
    assert (roles["primary"], roles["worker"], roles["child"]) == (1, FOLDERS - 1, WRITERS - FOLDERS)
    assert server.run(run_id)["state"] == "finished"


def test_console_lines_and_system_metrics_belong_to_a_rank(stack: Stack, server: Server, tmp_path: Path) -> None:
    """They have the label and host of the rank, not of the shipper that sampled them."""
    run_id, until = new_id(), tmp_path / "until"
    ranks = [
        start(
            "rank",
            *("--id", run_id, "--until", until),
            environment={**stack.environment, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"},
            folder=tmp_path / str(rank),
        )
        for rank in range(2)
    ]
    eventually(lambda: {one["label"] for one in system(server, run_id)} == {"rank 0", "rank 1"}, within=120)
    until.touch()
    assert [process.wait(120) for process in ranks] == [0, 0]
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=120)

    writers = {writer["writer"]: writer for writer in server.run(run_id, "/state")["writers"]}
    for one in system(server, run_id):
        assert writers[one["writer"]]["label"] == one["label"]
        assert one["host"] == writers[one["writer"]]["host"]
    assert len({(one["key"], one["writer"]) for one in system(server, run_id)}) == len(system(server, run_id))
    lines = [(line["label"], line["text"]) for line in server.run(run_id, "/console")["lines"]]
    assert {("rank 0", "hello"), ("rank 1", "hello")} <= set(lines)
    children = {writers[row["_writer"]]["label"]: row["child"] for row in server.rows(run_id)}
    assert {(f"{label}/{pid}", "hello from a child") for label, pid in children.items()} <= set(lines)
    ranks_by_label = server.run(run_id)["metadata"]["writers"]
    assert {label: (one["rank"], one["local_rank"]) for label, one in ranks_by_label.items()} == {
        "rank 0": (0, 0),
        "rank 1": (1, 1),
    }


def test_a_worker_that_starts_later_does_not_change_the_run(stack: Stack, server: Server, tmp_path: Path) -> None:
    """The rows of the primary, the start and the metadata are unchanged; the row of the worker is added."""
    run_id = new_id()
    until = tmp_path / "until"
    until.touch()
    arguments = ("--id", run_id, "--until", until)
    environment = {**stack.environment, "WORLD_SIZE": "2"}
    assert run_to_end("rank", *arguments, environment={**environment, "RANK": "0"}, folder=tmp_path / "primary") == 0
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=120)
    (before,), known = server.rows(run_id), server.run(run_id)

    assert run_to_end("rank", *arguments, environment={**environment, "RANK": "1"}, folder=tmp_path / "worker") == 0

    rows = eventually(lambda: [row for row in server.rows(run_id) if row["_writer"] != before["_writer"]])
    assert [row["loss"] for row in rows] == [1.0]
    assert [row for row in server.rows(run_id) if row["_writer"] == before["_writer"]] == [before]
    after = server.run(run_id)
    assert {key: after["metadata"][key] for key in ("pid", "rank")} == {
        key: known["metadata"][key] for key in ("pid", "rank")
    }
    assert (after["name"], after["created_at"], after["state"]) == (known["name"], known["created_at"], "finished")


def system(server: Server, run_id: str) -> list[dict[str, object]]:
    """Return the series of system metrics, an empty list if the run does not exist yet."""
    found: list[dict[str, object]] = server.run(run_id, "/system")["series"]
    return found
