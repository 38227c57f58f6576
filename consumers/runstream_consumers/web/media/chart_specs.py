"""Vega-Lite specifications of the charts of ``plot.*``. Pure; the data are named ``table``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Spec = dict[str, Any]
Names = Mapping[str, str]

#: What Vega-Lite reads in the name of a field as a path.
_PATH = re.compile(r"([\\.\[\]'\"])")
_TEXT_LENGTH = 500
#: Of an axis of names: those for which there is room.
_LABELS: Spec = {"labelAngle": 0, "labelOverlap": True, "labelLimit": 150}
#: Classes of a confusion matrix up to which its cells have room for their numbers.
_NUMBERED_CLASSES = 15


def spec(chart: Mapping[str, Any], columns: Sequence[str]) -> Spec | None:
    """Return how a chart is drawn; None if its definition is unknown, or needs a column that the table lacks."""
    fields = {name: str(column) for name, column in (chart.get("fields") or {}).items() if column is not None}
    make = _DEFINITIONS.get(str(chart.get("definition")).rpartition("/v")[0])
    if make is None or not {*fields.values()} <= {*columns}:
        return None
    strings = {str(name): str(text)[:_TEXT_LENGTH] for name, text in (chart.get("strings") or {}).items() if text}
    try:
        drawn = make(fields, strings)
    except KeyError:  # a field that the definition needs
        return None
    title = {"title": strings["title"]} if "title" in strings else {}
    return {"data": {"name": "table"}, **title, **drawn}


def _axis(column: str, kind: str | None = None, **more: Any) -> Spec:
    """Return the encoding of a column; its type follows from the values unless it is given."""
    return {"field": _PATH.sub(r"\\\1", column), "title": column, "type": kind or "quantitative", **more}


def _line(fields: Names, strings: Names) -> Spec:
    return _lines(fields["x"], fields["y"], fields.get("stroke"), strings.get("xname"))


def _lineseries(fields: Names, strings: Names) -> Spec:
    return _lines(fields["step"], fields["lineVal"], fields["lineKey"], strings.get("xname"))


def _lines(x: str, y: str, series: str | None, title: str | None = None) -> Spec:
    color = {} if series is None else {"color": _axis(series, "nominal", legend={"orient": "bottom"})}
    across = _axis(x, scale={"zero": False}) | ({"title": title} if title else {})
    tooltip = [_axis(name, "nominal") for name in (x, y, *([series] if series else []))]
    encoding = {"x": across, "y": _axis(y, scale={"zero": False}), **color, "tooltip": tooltip}
    return {"mark": {"type": "line", "point": {"size": 14}}, "encoding": encoding}


def _scatter(fields: Names, _: Names) -> Spec:
    x, y = fields["x"], fields["y"]
    axes = {name: _axis(column, scale={"zero": False}) for name, column in (("x", x), ("y", y))}
    return {"mark": "point", "encoding": {**axes, "tooltip": [_axis(x, "nominal"), _axis(y, "nominal")]}}


def _bar(fields: Names, _: Names) -> Spec:
    label, value = fields["label"], fields["value"]
    encoding = {
        "y": _axis(label, "nominal", sort=None, axis=_LABELS),
        "x": _axis(value),
        "tooltip": [_axis(label, "nominal"), _axis(value)],
    }
    return {"mark": "bar", "encoding": encoding}


def _histogram(fields: Names, _: Names) -> Spec:
    count: Spec = {"aggregate": "count", "title": "count"}
    return {"mark": "bar", "encoding": {"x": _axis(fields["value"], bin={"maxbins": 30}), "y": count}}


def _area(fields: Names, strings: Names) -> Spec:
    x, y = fields["x"], fields["y"]
    series = fields.get("class") or fields.get("stroke")
    drawn = _lines(x, y, series)
    for name, axis in (("x", "x-axis-title"), ("y", "y-axis-title")):
        drawn["encoding"][name]["title"] = strings.get(axis) or drawn["encoding"][name]["title"]
        drawn["encoding"][name]["scale"] = {"domain": [0, 1]}
    return drawn


def _confusion_matrix(fields: Names, _: Names) -> Spec:
    actual, predicted, count = fields["Actual"], fields["Predicted"], fields["nPredictions"]
    axes = {name: _axis(one, "nominal", sort=None, axis=_LABELS) for name, one in (("x", predicted), ("y", actual))}
    shade = _axis(count, scale={"range": ["#eef2ff", "#7f9cf5"]}, legend=None)
    heat = {"mark": "rect", "encoding": {"color": shade}}
    classes = {"op": "distinct", "field": _axis(actual)["field"], "as": "classes"}
    few: list[Spec] = [{"joinaggregate": [classes]}, {"filter": f"datum.classes <= {_NUMBERED_CLASSES}"}]
    text = {
        "transform": few,
        "mark": {"type": "text"},
        "encoding": {"text": _axis(count), "color": {"value": "#14181f"}},
    }
    tooltip = [_axis(name, "nominal") for name in (actual, predicted, count)]
    return {"encoding": {**axes, "tooltip": tooltip}, "layer": [heat, text]}


_DEFINITIONS: Mapping[str, Callable[[Names, Names], Spec]] = {
    "wandb/line": _line,
    "wandb/lineseries": _lineseries,
    "wandb/scatter": _scatter,
    "wandb/bar": _bar,
    "wandb/histogram": _histogram,
    "wandb/area-under-curve": _area,
    "wandb/confusion_matrix": _confusion_matrix,
}
