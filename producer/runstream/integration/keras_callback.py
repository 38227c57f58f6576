"""The callback of old versions of W&B for Keras, which programs still use: ``callbacks=[WandbCallback()]``."""

from __future__ import annotations

from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

import runstream
from runstream.integration.active_run import active_run
from runstream_schemas.stored.artifact_names import artifact_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_PICTURES = frozenset({"image", "images", "segmentation_mask"})
#: Examples that are shown at most.
_MOST_EXAMPLES = 100
#: Colors of the classes of a mask, if none are given: they repeat.
_COLORS = np.array([[230, 25, 75], [60, 180, 75], [0, 130, 200], [255, 225, 25], [145, 30, 180], [70, 240, 240]])


class WandbCallback(keras.callbacks.Callback):
    """Logs the metrics of each epoch, the best model, the graph of the model, and examples of its predictions.

    W&B has replaced it with ``WandbMetricsLogger``, ``WandbModelCheckpoint`` and ``WandbEvalCallback``.

    Args:
        monitor: The metric that decides which model is the best.
        verbose: 1 to print a message when the metric improves.
        mode: ``min``, ``max`` or ``auto``.
        save_weights_only: Save only the weights of the best model.
        log_weights: Log histograms of the weights after each epoch.
        log_gradients: Log histograms of the gradients in each epoch; needs the backend torch.
        save_model: Log the best model as a version of the artifact ``model-RUN_NAME``.
        training_data: Ignored; accepted for W&B compatibility.
        validation_data: Inputs and targets for examples, or an iterator of batches.
        labels: Names of the classes, for captions.
        predictions: Number of examples.
        generator: An iterator of batches of inputs and targets, for examples.
        input_type: ``image``, ``images``, ``segmentation_mask``, ``label`` or None.
        output_type: The same, for outputs and targets.
        log_evaluation: Log a table of inputs, targets and predictions.
        validation_steps: Number of batches of the iterator that the table has.
        class_colors: The color of each class of masks, as numbers within 0..1.
        log_batch_frequency: Log a row every so many batches too.
        log_best_prefix: Prefix of the best values in the summary; None to leave them out.
        save_graph: Store the graph of the model in the summary as ``graph``.
        validation_indexes: Keys of rows of another table, which stand for the inputs and targets of the table.
        validation_row_processor: Makes further columns of the number of a row and ``{"input", "target"}``.
        prediction_row_processor: Makes further columns of the number of a row and ``{"output"}``.
        infer_missing_processors: Add columns with the names of the classes if there are labels.
        log_evaluation_frequency: Log the table every so many epochs; 0 for the end only.

    Raises:
        Error: No run is active; as UsageError, ``log_gradients`` is set with another backend than torch.
    """

    def __init__(  # noqa: PLR0917 - the signature of W&B
        self,
        monitor: str = "val_loss",
        verbose: int = 0,
        mode: str = "auto",
        save_weights_only: bool = False,  # noqa: FBT001, FBT002
        log_weights: bool = False,  # noqa: FBT001, FBT002
        log_gradients: bool = False,  # noqa: FBT001, FBT002
        save_model: bool = True,  # noqa: FBT001, FBT002
        training_data: Any = None,
        validation_data: Any = None,
        labels: Sequence[str] | None = None,
        predictions: int = 36,
        generator: Iterator[Any] | None = None,
        input_type: str | None = None,
        output_type: str | None = None,
        log_evaluation: bool = False,  # noqa: FBT001, FBT002
        validation_steps: int | None = None,
        class_colors: Any = None,
        log_batch_frequency: int | None = None,
        log_best_prefix: str | None = "best_",
        save_graph: bool = True,  # noqa: FBT001, FBT002
        validation_indexes: Sequence[Any] | None = None,
        validation_row_processor: Callable[[int, dict[str, Any]], dict[str, Any]] | None = None,
        prediction_row_processor: Callable[[int, dict[str, Any]], dict[str, Any]] | None = None,
        infer_missing_processors: bool = True,  # noqa: FBT001, FBT002
        log_evaluation_frequency: int = 0,
        **_keywords: Any,
    ) -> None:
        super().__init__()
        del training_data
        self._run = active_run("keras.WandbCallback()")
        if log_gradients and keras.config.backend() != "torch":
            raise runstream.UsageError("Invalid log_gradients=True: it needs the backend torch (KERAS_BACKEND=torch)")
        self.monitor, self.verbose, self.log_best_prefix = monitor, verbose, log_best_prefix
        self._sign = -1 if mode == "max" or (mode != "min" and ("acc" in monitor or "fmeasure" in monitor)) else 1
        self.best = float("inf") * self._sign
        if log_best_prefix is not None:
            self.best = self._run.summary.get(f"{log_best_prefix}{monitor}", self.best)  # of a resumed run
        self.save_model, self.save_weights_only = save_model, save_weights_only
        self.save_graph, self.log_weights, self.log_gradients = save_graph, log_weights, log_gradients
        self.log_batch_frequency = log_batch_frequency
        is_iterator = hasattr(validation_data, "__next__")
        self.generator = validation_data if is_iterator else generator
        self.validation_data = None if is_iterator else validation_data
        self.validation_steps = validation_steps
        self.labels = [*(labels or ())]
        self.predictions = min(predictions, _MOST_EXAMPLES)
        self.input_type, self.output_type = input_type, output_type
        self.class_colors = _COLORS if class_colors is None else (np.array(class_colors) * 255).astype("uint8")
        self.log_evaluation, self._every = log_evaluation, log_evaluation_frequency
        self._indexes = validation_indexes
        self._processors = validation_row_processor, prediction_row_processor
        self._infers = infer_missing_processors

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Begin to log gradients, once in each epoch."""
        del logs
        if self.log_gradients:
            self._run.watch(self.model, log="gradients", log_freq=self.params.get("steps") or 1000)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log the row of a batch, if it is one of those to log; store the graph of the model, which is built now."""
        if self.save_graph:
            self.save_graph = False
            self._run.summary["graph"] = runstream.Graph.from_keras(self.model)
        if self.log_batch_frequency and batch % self.log_batch_frequency == 0:
            self._run.log(dict(logs or {}))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log the row of an epoch, and the model if it is the best."""
        row: dict[str, Any] = {"epoch": epoch, **(logs or {})}
        if self.log_weights:
            row |= dict(self._weights())
        if {self.input_type, self.output_type} & _PICTURES:
            row |= self._tried("examples", self._examples)
        if self.log_evaluation and self._every > 0 and epoch % self._every == 0:
            row |= self._tried("validation_predictions", self._evaluation)
        self._run.log(row)
        current = row.get(self.monitor)
        if current is not None and current * self._sign < self.best * self._sign:
            self._keep_best(epoch, float(current))

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Log the table of predictions, unless it was logged after each epoch."""
        del logs
        if self.log_evaluation and self._every != 1 and (row := self._tried("predictions", self._evaluation)):
            self._run.log(row)

    def _keep_best(self, epoch: int, current: float) -> None:
        if self.verbose:
            runstream.termlog(f"Epoch {epoch}: {self.monitor} improved from {self.best:.5f} to {current:.5f}")
        self.best = current
        if self.log_best_prefix is not None:
            self._run.summary[f"{self.log_best_prefix}{self.monitor}"] = current
            self._run.summary[f"{self.log_best_prefix}epoch"] = epoch
        if not self.save_model or self._run.disabled:
            return
        path = Path(self._run.dir) / ("model-best.weights.h5" if self.save_weights_only else "model-best.keras")
        (self.model.save_weights if self.save_weights_only else self.model.save)(path, overwrite=True)
        self._run.save(str(path), base_path=self._run.dir, policy="now")
        name = artifact_name(f"model-{self._run.name or self._run.id}")
        self._run.log_model(path, name, aliases=["latest", f"epoch_{epoch}"])

    def _tried(self, what: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - tracking must not stop the training
            runstream.termwarn(f"Cannot log {what} of the model: {error!r}", repeat=False)
            return {}

    def _weights(self) -> Iterator[tuple[str, Any]]:
        for layer in self.model.layers:
            for name, weights in zip(("weights", "bias"), layer.get_weights()[:2], strict=False):
                yield f"parameters/{layer.name}.{name}", runstream.Histogram(weights)

    def _data(self, steps: int) -> tuple[Any, Any]:
        """Return inputs and targets; raises ValueError without any."""
        if self.generator is not None:
            batches = [(np.asarray(batch[0]), np.asarray(batch[1])) for batch in islice(self.generator, steps)]
            if batches:
                return np.concatenate([x for x, _ in batches]), np.concatenate([y for _, y in batches])
        if self.validation_data is None:
            raise ValueError("pass validation_data, or a generator and validation_steps, to the callback")
        return np.asarray(self.validation_data[0]), np.asarray(self.validation_data[1])

    def _examples(self) -> dict[str, Any]:
        inputs, targets = self._data(1)
        if len(inputs) > self.predictions:
            chosen = np.random.default_rng().choice(len(inputs), self.predictions, replace=False)
            inputs, targets = inputs[chosen], targets[chosen]
        outputs = self.model.predict(inputs, verbose=0)
        kinds, captions = (self.input_type, self.output_type), [None] * len(inputs)
        if kinds[0] in _PICTURES and kinds[1] not in _PICTURES:
            captions = self._names(outputs) if kinds[1] == "label" else captions
            shown = [self._pictures(inputs, kinds[0])]
        else:
            captions = self._names(inputs) if kinds[0] == "label" else captions
            shown = [self._pictures(values, kinds[1]) for values in (outputs, targets)]
            if kinds[0] in _PICTURES:
                shown.insert(0, self._pictures(inputs, kinds[0]))
        images = (
            [
                runstream.Image(image, caption=caption, grouping=len(some) if not at else None)
                for at, image in enumerate(some)
            ]
            for caption, *some in zip(captions, *shown, strict=True)
        )
        return {"examples": [*chain.from_iterable(images)]}

    def _pictures(self, values: Any, kind: str | None) -> Any:
        """Return images: of masks with several channels, the color of the most likely class at each pixel."""
        if kind != "segmentation_mask" or values.ndim == 3 or values.shape[-1] == 1:  # noqa: PLR2004 - one channel
            return values
        return self.class_colors[np.argmax(values, axis=-1) % len(self.class_colors)].astype("uint8")

    def _names(self, values: Any) -> list[Any]:
        """Return the names of classes: of the most likely one, or of true and false for a single number."""
        values = np.asarray(values)
        flat = values.reshape(len(values), -1)
        if flat.shape[1] == 1 and len(self.labels) != 2:  # noqa: PLR2004 - true and false
            return [str(value) for value in flat[:, 0]]
        found = (flat[:, 0] > 0.5).astype(int) if flat.shape[1] == 1 else flat.argmax(1)  # noqa: PLR2004
        return [self.labels[index] if index < len(self.labels) else str(index) for index in map(int, found)]

    def _evaluation(self) -> dict[str, Any]:
        inputs, targets = self._data(self.validation_steps or 0)
        outputs = self.model.predict(inputs, verbose=0)
        names = {}
        if self._infers and self.labels:
            names = {"target:class": self._names(targets), "output:class": self._names(outputs)}
        rows = []
        for at, (given, target, output) in enumerate(zip(inputs, targets, outputs, strict=True)):
            row = {"input": given, "target": target} if self._indexes is None else {"val_row": self._indexes[at]}
            more = {**row, "output": output, **{name: values[at] for name, values in names.items()}}
            for process, data in zip(self._processors, ({"input": given, "target": target}, {"output": output}),
                                     strict=True):  # fmt: skip
                more |= process(at, data) if process is not None else {}
            rows.append(more)
        table = runstream.Table(columns=[*rows[0]], data=[[*row.values()] for row in rows])
        return {"validation_predictions": table}
