"""``watch()`` with real torch: what it logs, when, and which hooks remain."""

from __future__ import annotations

import copy
import io
import math
from typing import TYPE_CHECKING, Any

import pytest
import torch

import runstream
from tests.integrations.watched import TwoParts, histograms, hooks_of, logged, network, train

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integrations


def test_gradients_are_logged_by_default_in_every_nth_pass(run: runstream.Run, tmp_path: Path) -> None:
    """With ``log_freq=3``, every third row has a histogram of each parameter's gradient."""
    model = network()
    run.watch(model, log_freq=3)

    train(run, model, 7)

    names = {"gradients/0.weight", "gradients/0.bias", "gradients/2.weight", "gradients/2.bias"}
    found = [histograms(row) for row in logged(run, tmp_path)]
    assert found == [set(), set(), names, set(), set(), names, set()]


def test_by_default_every_thousandth_pass_is_logged(run: runstream.Run, tmp_path: Path) -> None:
    """The first row with histograms is the 1000th."""
    model = network()
    run.watch(model)

    train(run, model, 1000)

    found = logged(run, tmp_path)
    assert not any(histograms(row) for row in found[:999])
    assert len(histograms(found[999])) == 4


def test_a_histogram_has_64_bins_for_all_values(run: runstream.Run, tmp_path: Path) -> None:
    """Bins are evenly spaced from the smallest to the largest value; there is one more edge than bins."""
    model = network()
    weight = model[0].weight.detach().clone()
    run.watch(model, log="parameters", log_freq=1)

    model(torch.ones(2, 4))
    run.log({"x": 1})

    found = logged(run, tmp_path)[0]["parameters/0.weight"]
    assert found["_type"] == "histogram"
    assert len(found["values"]) == 64
    assert len(found["bins"]) == 65
    assert sum(found["values"]) == 12
    assert (found["bins"][0], found["bins"][-1]) == (weight.min().item(), weight.max().item())
    assert found["values"] == torch.histc(weight, 64).long().tolist()


def test_equal_values_have_one_bin(run: runstream.Run, tmp_path: Path) -> None:
    """The bin of a parameter of ones begins and ends at 1."""
    model = network()
    torch.nn.init.ones_(model[0].weight)
    run.watch(model, log="parameters", log_freq=1)

    model(torch.ones(2, 4))
    run.log({})

    assert logged(run, tmp_path)[0]["parameters/0.weight"] == {
        "_type": "histogram",
        "values": [12],
        "bins": [1.0, 1.0],
    }


def test_parameters_are_logged_by_forward_passes(run: runstream.Run, tmp_path: Path) -> None:
    """Forward passes without a backward pass are counted too; gradients are counted by backward passes."""
    model = network()
    run.watch(model, log="all", log_freq=2)

    with torch.no_grad():
        model(torch.ones(2, 4))
        model(torch.ones(2, 4))
    run.log({})
    train(run, model, 2)

    evaluated, first, second = (histograms(row) for row in logged(run, tmp_path))
    assert {key.split("/")[0] for key in evaluated} == {"parameters"}
    assert first == set()
    assert {key.split("/")[0] for key in second} == {"parameters", "gradients"}


def test_a_second_model_has_a_prefix(run: runstream.Run, tmp_path: Path) -> None:
    """Models are numbered over all calls, or from ``idx`` on; number 0 has no prefix."""
    first, second, third = network(), network(), network()
    run.watch([first, second], log_freq=1)
    run.watch(third, log_freq=1, idx=7)

    for model in (first, second, third):
        train(run, model, 1)

    assert [min(histograms(row)) for row in logged(run, tmp_path)] == [
        "gradients/0.bias",
        "gradients/graph_10.bias",
        "gradients/graph_70.bias",
    ]


def test_each_parameter_and_the_model_have_one_hook(run: runstream.Run) -> None:
    """With ``log="all"``, trained parameters and the called model have one hook; unwatch() removes them."""
    model = network()
    model[0].bias.requires_grad = False

    run.watch(model, log="all")
    model(torch.ones(2, 4))

    assert hooks_of(model) == 3 + 1
    run.unwatch(model)
    assert hooks_of(model) == 0


def test_unwatch_without_models_removes_all_hooks(run: runstream.Run) -> None:
    """No model has hooks afterwards."""
    models = [network(), network()]
    run.watch(models, log="all", log_graph=True)

    run.unwatch()

    assert [hooks_of(model) for model in models] == [0, 0]


def test_the_end_of_the_run_removes_the_hooks(run: runstream.Run) -> None:
    """The model can be trained further without hooks."""
    model = network()
    run.watch(model, log="all")

    run.finish()

    assert hooks_of(model) == 0


def test_log_none_registers_no_hooks(run: runstream.Run) -> None:
    """Without gradients, parameters and graph, hooks are not needed."""
    model = network()
    run.watch(model, log=None)
    assert hooks_of(model) == 0


@pytest.mark.parametrize("models", [object(), [network, 1], "model", None])
def test_an_invalid_model_is_refused(run: runstream.Run, models: Any) -> None:
    """An object that is not a Module is a ValueError, also in a list."""
    with pytest.raises(ValueError, match=r"torch\.nn\.Module"):
        run.watch(models)


def test_parameters_of_a_model_of_which_parts_are_called_are_logged(run: runstream.Run, tmp_path: Path) -> None:
    """A pass begins when a part is called again."""
    model = TwoParts()
    run.watch(model, log="parameters", log_freq=2)

    for step in range(4):
        model.net(torch.ones(2, 4))
        run.log({"step": step})

    assert [len(histograms(row)) for row in logged(run, tmp_path)] == [0, 6, 0, 6]


@pytest.mark.parametrize(
    ("values", "counted"),
    [
        ([1.0, math.nan, math.inf, 2.0], 2),
        ([-3e38, 0.0, 3e38], 3),
        ([1e-45, 2e-45], 2),
    ],
    ids=["non-finite", "far apart", "tiny"],
)
def test_only_finite_values_are_counted(run: runstream.Run, tmp_path: Path, values: list[float], counted: int) -> None:
    """NaN and infinities are left out; very large and very small ranges work."""
    parameter = torch.nn.Parameter(torch.tensor(values))
    run.watch(torch.nn.ParameterList([parameter]), log_freq=1)

    (parameter * torch.tensor(values)).sum().backward()
    run.log({})

    found = logged(run, tmp_path)[0]["gradients/0"]
    assert sum(found["values"]) == counted
    assert all(math.isfinite(edge) for edge in found["bins"])


def test_a_gradient_without_finite_values_is_left_out(run: runstream.Run, tmp_path: Path) -> None:
    """There is no histogram and no warning."""
    parameter = torch.nn.Parameter(torch.ones(3))
    run.watch(torch.nn.ParameterList([parameter]), log_freq=1)

    (parameter * math.nan).sum().backward()
    run.log({"x": 1})

    assert logged(run, tmp_path) == [{"x": 1}]


def test_half_precision_and_sparse_gradients_are_counted(run: runstream.Run, tmp_path: Path) -> None:
    """bfloat16 is converted to float32; zeros that a sparse gradient does not store are counted."""
    model = torch.nn.Sequential(torch.nn.Embedding(10, 4, sparse=True), torch.nn.Linear(4, 2)).bfloat16()
    run.watch(model, log_freq=1)

    train(run, model, 1, torch.tensor([1, 2]))

    found = logged(run, tmp_path)[0]
    assert sum(found["gradients/0.weight"]["values"]) == 40
    assert sum(found["gradients/1.weight"]["values"]) == 8


def test_a_sparse_and_a_dense_gradient_have_the_same_histogram(run: runstream.Run, tmp_path: Path) -> None:
    """Values that are not stored are counted as zeros."""
    for sparse in (True, False):
        model = torch.nn.Embedding(10, 2, sparse=sparse)
        run.watch(model, log_freq=1, idx=0)
        (model(torch.tensor([1, 2])) * torch.tensor([[-1.0, 2.0], [0.5, 1.0]])).sum().backward()
        run.log({})

    sparse_row, dense_row = logged(run, tmp_path)
    assert sparse_row == dense_row
    assert sum(sparse_row["gradients/weight"]["values"]) == 20


def test_a_shared_parameter_is_logged_once(run: runstream.Run, tmp_path: Path) -> None:
    """Two layers with the same weight have one histogram of its gradient."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False), torch.nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    run.watch(model, log_freq=1)

    train(run, model, 2, torch.ones(1, 3))

    assert [histograms(row) for row in logged(run, tmp_path)] == [{"gradients/0.weight"}] * 2


def test_histograms_counted_on_an_accelerator_are_the_same() -> None:
    """Counting as on an accelerator, done on the CPU, agrees with counting on the CPU."""
    from runstream.watching import histograms as counting  # noqa: PLC0415 - used with torch

    for given in (torch.randn(5000), torch.ones(7), torch.tensor([1.0, math.inf, 3.0]), -torch.rand(9).half()):
        counts = counting.count_on_device(torch, given)
        assert counting.collect(torch, {"x": counts}) == {"x": counting.count_values(torch, given)}


def test_an_error_in_a_hook_is_a_warning(
    run: runstream.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is printed once, and the training continues."""
    run.finish()
    noisy = runstream.init(project="p", mode="offline", dir=tmp_path / "noisy")
    model = network()
    noisy.watch(model, log_freq=1)
    monkeypatch.setattr(torch, "aminmax", lambda _: 1 // 0)

    train(noisy, model, 2)

    assert "Cannot log the gradient of 0.weight" in capsys.readouterr().err
    assert [set(row) for row in logged(noisy, tmp_path / "noisy")] == [{"step"}, {"step"}]


def test_a_watched_model_can_be_copied_and_saved_whole(run: runstream.Run, tmp_path: Path) -> None:
    """Neither the copy nor the loaded model is watched, and saving causes no warning."""
    model = network()
    run.watch(model, log="all", log_freq=1, log_graph=True)

    stored = io.BytesIO()
    torch.save(model, stored)
    stored.seek(0)
    for other in (copy.deepcopy(model), torch.load(stored, weights_only=False)):
        other(torch.ones(2, 4)).sum().backward()
        run.log({"x": 1})

    assert logged(run, tmp_path) == [{"x": 1}, {"x": 1}]


def test_a_disabled_run_does_not_watch_models() -> None:
    """No arguments are refused, and no hooks are registered."""
    with runstream.init(mode="disabled") as run:
        model = network()
        run.watch(model, log="all")
        run.unwatch()
        assert hooks_of(model) == 0
