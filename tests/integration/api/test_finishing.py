"""The state of a run between its end and the arrival of all counted records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runstream_schemas.events import ExitState, Role
from tests.integration.api.conftest import new_recording
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served


def shown(served: Served, recording: Recording) -> list[tuple[str, list[str]]]:
    """Return the state and qualifiers of a run from each response that has them."""
    runs = served.get("/api/v1/runs", project=recording.run.project, limit=500)["runs"]
    listed = next((run for run in runs if run["id"] == recording.run.run_id), None)
    assert listed is not None
    answers: list[Any] = [served.run(recording), served.run(recording, "/state"), listed]
    return [(answer["state"], answer["qualifiers"]) for answer in answers]


def completeness(served: Served, recording: Recording) -> dict[str, bool]:
    """Return whether the delivery of a run is complete, finishing or incomplete."""
    found = served.run(recording, "/delivery")
    return {name: found[name] for name in ("complete", "finishing", "incomplete")}


def test_a_run_is_finishing_until_all_counted_records_are_stored(served: Served) -> None:
    """A run whose end is known is running and finishing until its last rows are stored; then it has failed."""
    run = new_recording("straggler").start({}).rows([{"a": 1}]).rows([{"a": 2}], first_step=1)
    late = run.sent.pop()
    run.exit(ExitState.FAILED, exit_code=1)
    served.publish(run)

    eventually(lambda: shown(served, run) == [("running", ["finishing"])] * 3)
    assert completeness(served, run) == {"complete": False, "finishing": True, "incomplete": False}

    served.publish(replace(run, sent=[late]))
    eventually(lambda: shown(served, run) == [("failed", [])] * 3)
    eventually(lambda: completeness(served, run) == {"complete": True, "finishing": False, "incomplete": False})


def test_missing_records_of_a_shipper_do_not_delay_the_end(served: Served) -> None:
    """The end is shown although console lines and system metrics of the shipper are missing."""
    run = new_recording("ended").start({}).rows([{"a": 1}]).exit()
    shipper = new_recording("ended", role=Role.SHIPPER).start({}).leave_out(3).exit()
    served.publish(run, shipper)

    eventually(lambda: shown(served, run) == [("finished", [])] * 3)
    assert not completeness(served, run)["complete"]
