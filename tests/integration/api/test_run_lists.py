"""Lists of runs: filtered, sorted and paged, read over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runstream_schemas.events import ExitState
from tests.integration.api.conftest import new_recording

if TYPE_CHECKING:
    from tests.integration.api.serving import Served

_PROJECT = "lists"


@pytest.fixture(scope="module")
def listed(served: Served) -> Served:
    """Store five runs of one project, run-0 first."""
    for number in range(5):
        writer = new_recording(f"run-{number}", project=_PROJECT, later_s=number)
        name, group = f"{'odd' if number % 2 else 'even'}-{number}", f"g{number // 3}"
        config = {"lr": number / 10, "opt": {"name": f"sgd{number}"}}
        writer.start(config, tags=["all", f"t{number}"], name=name, group=group)
        if number != 1:
            writer.summary(loss=[3.0, None, 1.0, "NaN", 2.0][number])
        served.store(writer.exit(ExitState.FAILED if number == 3 else ExitState.FINISHED, exit_code=int(number == 3)))
    return served


def _ids(served: Served, **parameters: Any) -> list[int]:
    page = served.get("/api/v1/runs", entity="ada", project=_PROJECT, **parameters)
    assert page["next"] is None
    assert page["truncated"] is False
    return [int(run["id"].removeprefix("run-")) for run in page["runs"]]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [4, 3, 2, 1, 0]),
        ({"id": "run-2"}, [2]),
        ({"id": "run"}, []),
        ({"state": "failed"}, [3]),
        ({"state": ["failed", "finished"]}, [4, 3, 2, 1, 0]),
        ({"state": "running"}, []),
        ({"tag": "t2"}, [2]),
        ({"tag": ["all", "t2"]}, [2]),
        ({"tag": ["t1", "t2"]}, []),
        ({"group": "g0"}, [2, 1, 0]),
        ({"job_type": "train"}, []),
        ({"user": "nobody"}, []),
        ({"name": "EVEN"}, [4, 2, 0]),
        ({"name": "*-3"}, [3]),
        ({"config": "lr=0.10"}, [1]),
        ({"config": ["lr=0.1", "opt.name=sgd*"]}, [1]),
        ({"config": "opt.name=sgd?"}, [4, 3, 2, 1, 0]),
        ({"since": 2e9}, []),
        ({"since": 1.5e9, "group": "", "name": "", "state": ""}, [4, 3, 2, 1, 0]),
        ({"order": "created"}, [0, 1, 2, 3, 4]),
        ({"order": "name"}, [0, 2, 4, 1, 3]),
        ({"order": "-name"}, [3, 1, 4, 2, 0]),
        ({"order": "state"}, [3, 4, 2, 1, 0]),
        ({"order": "summary.loss"}, [2, 4, 0, 3, 1]),
        ({"order": "-summary.loss"}, [3, 0, 4, 2, 1]),
        ({"order": "-config.lr", "name": "even"}, [4, 2, 0]),
        ({"order": "+summary_metrics.loss", "config": "lr=0.4"}, [4]),
        ({"order": "-heartbeat_at"}, [4, 3, 2, 1, 0]),
        ({"order": "config.lr.value"}, [0, 1, 2, 3, 4]),
        *(
            ({"filters": json.dumps(filters)}, expected)
            for filters, expected in [
                ({}, [4, 3, 2, 1, 0]),
                ({"config.lr": 0.1}, [1]),
                ({"config.lr.value": {"$gte": 0.3}}, [4, 3]),
                ({"config.lr": {"$gt": 0.1, "$lt": 0.4}}, [3, 2]),
                ({"config.lr": {"$ne": 0.1}}, [4, 3, 2, 0]),
                ({"config.lr": {"$in": [0, 0.4, "x"]}}, [4, 0]),
                ({"config.opt.name": {"$nin": ["sgd1", "sgd2"]}}, [4, 3, 0]),
                ({"config.opt": {"$exists": True}}, [4, 3, 2, 1, 0]),
                ({"summary_metrics.loss": {"$exists": False}}, [1]),
                ({"summary_metrics.loss": None}, [1]),
                ({"summaryMetrics.loss": {"$gt": 1}}, [4, 0]),
                ({"summary.loss": "NaN"}, [3]),
                ({"summary.loss": {"$not": {"$gt": 1}}}, [3, 2, 1]),
                ({"$or": [{"config.lr": 0}, {"summary.loss": {"$lt": 1.5}}]}, [2, 0]),
                ({"$and": [{"state": "finished"}, {"$nor": [{"config.lr": 0}, {"name": "run-1"}]}]}, [4, 2]),
                ({"$not": {"tags": "t2"}}, [4, 3, 1, 0]),
                ({"tags": {"$in": ["t1", "t4"]}}, [4, 1]),
                ({"state": {"$ne": "Finished"}}, [3]),
                ({"state": {"$in": ["failed", "running"]}}, [3]),
                ({"state": {"$regex": "^fin"}, "group": "g0"}, [2, 1, 0]),
                ({"display_name": {"$regex": "^ODD", "$options": "i"}}, [3, 1]),
                ({"displayName": "even-0"}, [0]),
                ({"name": {"$regex": "[34]$"}}, [4, 3]),
                ({"user": None, "jobType": None, "sweepName": None}, [4, 3, 2, 1, 0]),
                ({"created_at": {"$gte": "2026-01-02T03:04:08Z"}}, [4, 3]),
                ({"createdAt": {"$lt": 1767323046.0}}, [0]),
                ({"heartbeat_at": {"$gt": "2026-01-01"}}, [4, 3, 2, 1, 0]),
            ]
        ),
    ],
)
def test_runs_are_filtered_and_sorted(listed: Served, parameters: dict[str, Any], expected: list[int]) -> None:
    """Every condition holds for every run of the list, in the order of the request."""
    assert _ids(listed, **parameters) == expected


def test_the_number_of_runs_is_counted(listed: Served) -> None:
    """It is that of the list with the same conditions."""
    scope = {"entity": "ada", "project": _PROJECT}
    count = [
        listed.get("/api/v1/runs/count", **scope, **conditions)["count"]
        for conditions in ({}, {"tag": "t1"}, {"filters": '{"config.lr": {"$gt": 0.15}}', "state": "finished"})
    ]
    assert count == [5, 1, 2]


@pytest.mark.parametrize("parameters", [{"tag": "all"}, {"order": "summary.loss"}, {"order": "name", "name": "e"}])
def test_filtered_and_sorted_lists_are_paged(listed: Served, parameters: dict[str, Any]) -> None:
    """The pages have every run of the list once, in its order; ``next`` is null on the last page only."""
    whole = _ids(listed, **parameters)
    found: list[int] = []
    after: dict[str, str] = {}
    while len(found) < len(whole):
        page = listed.get("/api/v1/runs", entity="ada", project=_PROJECT, limit=2, **parameters, **after)
        found += [int(run["id"].removeprefix("run-")) for run in page["runs"]]
        assert (page["next"] is None) == (len(found) == len(whole))
        after = {"after": page["next"]}
    assert found == whole


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"order": "loss"}, "order: Invalid order 'loss'"),
        ({"state": ["failed", "fail"]}, "state: Invalid state 'fail'"),
        ({"config": "lr"}, "config: Invalid condition 'lr'"),
        ({"since": "yesterday"}, "since: "),
        ({"since": "nan"}, "since: "),
        ({"tag": ["x"] * 21}, "tag: "),
        ({"name": "x" * 501}, "name: "),
        ({"order": "name", "after": "AAAA"}, "after: "),
        ({"project": "a\0b"}, "project: "),
        ({"filters": "{"}, "filters: Invalid filter"),
        ({"filters": '{"config.lr": {"$gt": 0.1}}', "order": "name", "after": "AAAAAAAAAAAAAAAA"}, "after: "),
        ({"filters": '{"loss": 1}'}, "filters: Unknown field 'loss'"),
        ({"filters": '{"config.x": {"$regex": "("}}'}, "expected a regular expression"),
        ({"filters": '{"state": {"$regex": "("}}'}, "expected a regular expression"),
    ],
)
def test_an_invalid_condition_is_refused(listed: Served, parameters: dict[str, Any], expected: str) -> None:
    """The message names the parameter."""
    answer = listed.ask("/api/v1/runs", **parameters)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_parameter")
    assert expected in answer.json()["error"]["message"]
