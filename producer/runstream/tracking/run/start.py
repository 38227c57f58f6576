"""Where a run begins, as ``init()`` resolved it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runstream.run_names import DisplayName, generated_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runstream.settings import Settings


@dataclass(frozen=True, slots=True)
class BranchPoint:
    """A step of a run, written ``ID?_step=N``."""

    run_id: str
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """Where a run begins: at step 0, or after the last step of the run that it resumes or forks."""

    #: The settings of ``init()``, completed with attributes of the resumed run.
    settings: Settings
    resumed: bool = False
    #: The step of the first row that is logged without one.
    step: int = 0
    continues: tuple[bytes, ...] = ()
    #: What is recorded of the resumed run.
    config: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[Mapping[str, Any]] = ()
    #: The summary state of the resumed run.
    folds: Mapping[str, Any] | None = None
    #: Where the rows branch off another run, or an earlier step of this one.
    branch: BranchPoint | None = None
    #: Whether the last step is unknown, because the server did not answer: the shipper adds it to implicit steps.
    relative: bool = False
    #: The last values up to the branch: path and value.
    values: Sequence[tuple[Sequence[str], Any]] = ()

    @property
    def name(self) -> DisplayName:
        """The name of the run; a resumed run keeps its name and number."""
        generated, number = self.attributes.get("generated_name"), self.attributes.get("number")
        return DisplayName(
            self.settings.run_name,
            generated if isinstance(generated, str) else generated_name(self.settings.run_id or ""),
            number if isinstance(number, int) else None,
        )
