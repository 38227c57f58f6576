"""Tables of the predictions of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.tables.table import Table
from runstream.tracking.values.foreign import shown

if TYPE_CHECKING:
    from collections.abc import Sequence


class EvalTable(Table):
    """A table of predictions: a Table whose columns have roles.

    Args:
        input_columns: The columns with the inputs of the model.
        output_columns: Those with its outputs.
        score_columns: Those that rate the outputs.
        options: Arguments of :class:`Table`.

    Raises:
        ValueError: A column is unknown, or has several roles.
    """

    def __init__(
        self,
        *arguments: Any,
        input_columns: Sequence[str] = (),
        output_columns: Sequence[str] = (),
        score_columns: Sequence[str] = (),
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.input_columns = list(input_columns)
        self.output_columns = list(output_columns)
        self.score_columns = list(score_columns)
        named = [*self.input_columns, *self.output_columns, *self.score_columns]
        for name in named:
            if name not in self.columns or named.count(name) > 1:
                raise ValueError(f"Invalid column {shown(name)}: expected one of {self.columns}, with one role")

    def _facts(self) -> dict[str, Any]:
        """Return the columns of each role, which the file holds besides the rows."""
        names = ("input_columns", "output_columns", "score_columns")
        return {name: getattr(self, name) for name in names}
