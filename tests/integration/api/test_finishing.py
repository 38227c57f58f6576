"""What is shown of a run between its end and the arrival of what its end counted."""

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
    """Return state and qualifiers of a run as each answer that has them gives them."""
    runs = served.get("/api/v1/runs", project=recording.run.project)["runs"]
    listed = next(run for run in runs if run["id"] == recording.run.run_id)
    answers: list[Any] = [served.run(recording), served.run(recording, "/state"), listed]
    return [(answer["state"], answer["qualifiers"]) for answer in answers]


def marks(served: Served, recording: Recording) -> dict[str, bool]:
    """Return what the delivery of a run says of it as a whole."""
    found = served.run(recording, "/delivery")
    return {name: found[name] for name in ("complete", "finishing", "incomplete")}


def test_a_run_goes_on_until_everything_is_stored_that_its_end_counted(served: Served) -> None:
    """Its end is known and its last rows are not there yet: it is running, and finishing; then it has failed."""
    run = new_recording("straggler").start({}).rows([{"a": 1}]).rows([{"a": 2}], first_step=1)
    late = run.sent.pop()
    run.exit(ExitState.FAILED, exit_code=1)
    served.publish(run)

    eventually(lambda: shown(served, run) == [("running", ["finishing"])] * 3)
    assert marks(served, run) == {"complete": False, "finishing": True, "incomplete": False}

    served.publish(replace(run, sent=[late]))
    eventually(lambda: shown(served, run) == [("failed", [])] * 3)
    eventually(lambda: marks(served, run) == {"complete": True, "finishing": False, "incomplete": False})


def test_the_records_of_a_shipper_are_not_waited_for(served: Served) -> None:
    """What it adds (console, machine) may come when it comes: the run has ended."""
    run = new_recording("ended").start({}).rows([{"a": 1}]).exit()
    shipper = new_recording("ended", role=Role.SHIPPER).start({}).leave_out(3).exit()
    served.publish(run, shipper)

    eventually(lambda: shown(served, run) == [("finished", [])] * 3)
    assert not marks(served, run)["complete"]
