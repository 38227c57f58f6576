"""Two processes of torchrun that log to one run, with the id WANDB_RUN_ID."""

import os

import torch
import wandb


def main() -> None:
    """Log three rows of this rank."""
    rank = int(os.environ["RANK"])
    torch.distributed.init_process_group("gloo")
    run = wandb.init(mode="shared", settings=wandb.Settings(x_label=f"rank-{rank}", x_primary=rank == 0))
    for step in range(3):
        total = torch.tensor(float(rank + step))
        torch.distributed.all_reduce(total)
        run.log({f"loss/{rank}": step, "total": total})
    torch.distributed.barrier()
    run.finish()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
