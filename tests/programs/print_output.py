"""Programs whose output is tested: two examples of W&B's documentation with fixed values, and one more."""

from __future__ import annotations

import json
import sys

import runstream


def main() -> None:
    """Run the example named by the first argument; the second has the arguments of ``init()`` as JSON."""
    example, arguments = sys.argv[1], json.loads(sys.argv[2])
    if example == "once":
        with runstream.init(**arguments) as run:
            run.log({"accuracy": 0.9, "loss": 0.1})
        return
    if example == "defined":
        with runstream.init(**arguments) as run:
            run.define_metric("loss", summary="min,max")
            for loss in (3.0, 1.0, 2.0):
                run.log({"loss": loss, "nested": {"text": "a\x1b[31m"}})
            run.summary["by hand"] = 7
            run.name = "renamed"
        return
    config = {"epochs": 10, "learning_rate": 0.01}
    with runstream.init(config=config, **arguments) as run:
        print(f"lr: {config['learning_rate']}", flush=True)  # noqa: T201
        for epoch in range(10):
            accuracy, loss = epoch / 10, 2.0**-epoch
            print(f"epoch={epoch}, accuracy={accuracy}, loss={loss}", flush=True)  # noqa: T201
            run.log({"accuracy": accuracy, "loss": loss})


if __name__ == "__main__":
    main()
