"""Charts: their tables, definitions and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from sklearn import metrics

import runstream
from runstream import Table, plot
from runstream.spool.format import TopicCode
from runstream_schemas.events import Operation, Scope
from tests.unit.media.recorded import recorded_run
from tests.unit.producer.spooled import of_topic, primary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

XY: dict[str, Any] = {"columns": ["x", "y"], "data": [[0, 1], [1, 4]]}


def charts(folder: Path) -> list[Any]:
    """Return key and definition of the charts that a run recorded, in order."""
    entries = [entry for record in of_topic(primary(folder), TopicCode.CONFIG) for entry in record]
    start = [Scope.ATTRIBUTE.value, Operation.SET.value]
    return [(path[1], value) for *kind, path, value in entries if kind == start and path[0] == "charts"]


def test_a_chart_is_a_table_and_a_definition(tmp_path: Path) -> None:
    """The row has the table; the definition is an attribute of the run, recorded once, and again if it changes."""
    with recorded_run(tmp_path) as recorded:
        for stroke in (None, None, "y"):
            recorded.run.log({"c": plot.line(Table(**XY), "x", "y", stroke, title="T"), "loss": 1})
        recorded.run.log({"s": plot.scatter(Table(**XY), "x", "y", split_table=True)})
        recorded.run.log({"v": plot.visualize("me/spec", Table(**XY))})

    first = {"definition": "wandb/line/v0", "strings": {"title": "T"}, "table": "c_table"}
    split = "Custom Chart Tables/s_table"
    second = {"definition": "wandb/scatter/v0", "strings": {"title": ""}, "table": split}
    assert charts(tmp_path) == [
        ("c", {**first, "fields": {"x": "x", "y": "y", "stroke": None}}),
        ("c", {**first, "fields": {"x": "x", "y": "y", "stroke": "y"}}),
        ("s", {**second, "fields": {"x": "x", "y": "y"}}),
        ("v", {"definition": "me/spec", "fields": {}, "strings": {}, "table": "v"}),
    ]
    assert [sorted(row) for row in recorded.rows] == [["c_table", "loss"]] * 3 + [[split], ["v"]]
    assert recorded.rows[0]["c_table"]["nrows"] == 2


def test_a_refused_row_leaves_no_chart(tmp_path: Path) -> None:
    """Neither its table nor its definition is recorded; a chart within a list is refused."""
    chart = plot.bar(Table(**XY), "x", "y")
    with recorded_run(tmp_path) as recorded:
        for row in ({"c": chart, "odd": object()}, {"c": {"in": chart, "odd": object()}}, {"c": [chart]}):
            with pytest.raises(runstream.DataError):
                recorded.run.log(row)
        with pytest.raises(runstream.DataError, match="log it under a key of its own"):
            recorded.run.summary["c"] = chart

    assert (charts(tmp_path), recorded.rows, recorded.files) == ([], [], [])


def test_a_chart_within_a_dict_has_a_key_of_its_own(tmp_path: Path) -> None:
    """The keys are joined by dots; the rest of the dict is recorded, unless it is empty."""
    chart = plot.bar(Table(**XY), "x", "y")
    given = {"a": {"b": {"c": chart, "x": 3}, "loss": 1}, "d": {"e": chart}, "f": {"g": 2}}
    with recorded_run(tmp_path) as recorded:
        recorded.run.log(given)

    assert [key for key, _ in charts(tmp_path)] == ["a.b.c", "d.e"]
    (row,) = recorded.rows
    assert sorted(row) == ["a", "a.b.c_table", "d.e_table", "f"]
    assert (row["a"], row["f"]) == ({"b": {"x": 3}, "loss": 1}, {"g": 2})
    assert given["a"] == {"b": {"c": chart, "x": 3}, "loss": 1}


def test_dicts_that_contain_themselves_or_are_deep_are_logged(tmp_path: Path) -> None:
    """Charts are looked for to some depth only: a chart next to such dicts is found, and the row is recorded."""
    own: dict[str, Any] = {}
    own["own"] = own
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"deep": deep}
    with recorded_run(tmp_path) as recorded:
        recorded.run.log({"own": own, "a": {1: plot.line(Table(**XY), "x", "y"), "deep": deep}, "loss": 1})

    assert [key for key, _ in charts(tmp_path)] == ["a.1"]
    assert recorded.rows[0]["loss"] == 1


def test_the_definition_of_a_chart_can_be_read_and_changed() -> None:
    """``spec`` has it, as in W&B."""
    chart = plot.line(Table(**XY), "x", "y", title="T")
    chart.spec.string_fields["title"] = "U"

    assert (chart.spec.spec_name, chart.spec.fields["y"], chart.spec.split_table) == ("wandb/line/v0", "y", False)
    assert chart.parts("k")[2]["strings"] == {"title": "U"}


def test_the_methods_of_the_run_and_the_module_are_the_same() -> None:
    """``plot_table`` takes a definition of any name."""
    for function in (plot.plot_table, runstream.plot_table, runstream.init(mode="disabled").plot_table):
        made = function("me/spec", Table(**XY), {"x": "x"}, {"title": 3})
        assert made.parts("k")[2] == {
            "definition": "me/spec",
            "fields": {"x": "x"},
            "strings": {"title": "3"},
            "table": "k_table",
        }


def test_lines_share_x_values_or_have_their_own() -> None:
    """The table has a row for each point, with the label of its line."""
    shared = plot.line_series([0, 1], [[1, 2], np.array([3, 4])], title="T", xname="epoch")
    assert shared.table.data == [[0, "line_0", 1], [1, "line_0", 2], [0, "line_1", 3], [1, "line_1", 4]]
    assert shared.parts("k")[2]["strings"] == {"title": "T", "xname": "epoch"}
    own = plot.line_series([[0], [5]], [[1], [2]], keys=["a", "b"])
    assert own.table.data == [[0, "a", 1], [5, "b", 2]]


@pytest.mark.parametrize("classes", [2, 3])
def test_curves_are_those_of_scikit_learn(classes: int) -> None:
    """Every point of the ROC curve, and the precision at equal distances of the recall."""
    random = np.random.default_rng(classes)
    truth = random.integers(0, classes, 200)
    scores = random.random((200, classes)).round(2)
    roc = plot.roc_curve(truth, scores).table
    precision = plot.pr_curve(truth, scores, interp_size=5).table
    for value in range(classes):
        fpr, tpr, _ = metrics.roc_curve(truth == value, scores[:, value])
        assert [row[1:] for row in roc.data if row[0] == value] == np.round([fpr, tpr], 3).T.tolist()
        found, recall, _ = metrics.precision_recall_curve(truth == value, scores[:, value])
        best = [max(found[recall >= at]) for at in (1, 0.75, 0.5, 0.25)]
        assert [row[1] for row in precision.data if row[0] == value][:4] == np.round(best, 3).tolist()


def test_labels_and_classes_are_chosen() -> None:
    """Numbers of classes have labels, other classes are their own; only the chosen ones are drawn."""
    scores = [[0.9, 0.1], [0.4, 0.6]]
    named = plot.roc_curve([0, 1], scores, labels=["n", "y"], classes_to_plot=[1]).table
    assert {row[0] for row in named.data} == {"y"}
    assert {row[0] for row in plot.roc_curve(["cat", "dog"], scores).table.data} == {"cat", "dog"}


def test_long_curves_are_thinned() -> None:
    """A chart has no more points than can be distinguished, and the ends of the curve."""
    count = 60_000
    random = np.random.default_rng(0)
    scores = random.random(count)
    table = plot.roc_curve(random.integers(0, 2, count), np.stack([1 - scores, scores], axis=1)).table
    assert len(table.data) <= 10_000
    assert [table.data[0][1:], table.data[-1][1:]] == [[0.0, 0.0], [1.0, 1.0]]


def test_predictions_are_counted() -> None:
    """By name, or by the number of the class; probabilities count as their greatest."""
    rows = plot.confusion_matrix(y_true=[0, 1, 1], preds=[0, 1, 0], class_names=["a", "b"]).table.data
    assert rows == [["a", "a", 1], ["a", "b", 0], ["b", "a", 1], ["b", "b", 1]]
    rows = plot.confusion_matrix(y_true=["x", "z"], preds=["x", "x"]).table.data
    assert rows == [
        ["Class_1", "Class_1", 1],
        ["Class_1", "Class_2", 0],
        ["Class_2", "Class_1", 1],
        ["Class_2", "Class_2", 0],
    ]
    assert plot.confusion_matrix(probs=[[0.9, 0.1]], y_true=[0], class_names=["a", "b"]).table.data[0][2] == 1


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: plot.line(cast("Any", [[1]]), "x", "y"), runstream.Error),
        (lambda: plot.visualize("id", cast("Any", 3)), runstream.Error),
        (lambda: plot.line_series(1, [[1]]), TypeError),
        (lambda: plot.line_series([1], 1), TypeError),
        (lambda: plot.line_series([1], [1]), TypeError),
        (lambda: plot.line_series([[1]], [[1], [2]]), ValueError),
        (lambda: plot.line_series([1], [[1]], keys=["a", "b"]), ValueError),
        (lambda: plot.confusion_matrix(probs=[[1, 0]], preds=[0], y_true=[0]), ValueError),
        (lambda: plot.confusion_matrix(y_true=[0]), TypeError),
        (lambda: plot.confusion_matrix(preds=[0, 1], y_true=[0]), ValueError),
        (lambda: plot.confusion_matrix(preds=[0, 1], y_true=[0, 1], class_names=["a"]), ValueError),
        (lambda: plot.confusion_matrix(preds=[2], y_true=[0], class_names=["a"]), KeyError),
        (lambda: plot.pr_curve([0, 1]), TypeError),
        (lambda: plot.roc_curve([0, 1], [[0.5], [0.5]]), ValueError),
        (lambda: plot.roc_curve([0, 1], [[0.5, 0.5]]), ValueError),
        (lambda: plot.pr_curve([0, 1], [[0.5, np.nan]] * 2), ValueError),
    ],
    ids=range(16),
)
def test_invalid_arguments_are_refused(make: Callable[[], Any], error: type[Exception]) -> None:
    """The class of the error is W&B's."""
    with pytest.raises(error, match=r"Invalid|Missing|expected|has no name"):
        make()
