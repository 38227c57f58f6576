"""LangChain with its tracer for W&B."""

import wandb
from langchain_community.callbacks.tracers.wandb import WandbTracer
from langchain_community.llms.fake import FakeListLLM


def main() -> None:
    """Call a model that answers from a list."""
    tracer = WandbTracer({"project": "tests"})
    answer = FakeListLLM(responses=["forty-two"]).invoke("How many?", config={"callbacks": [tracer]})
    wandb.log({"words": len(answer.split())})
    tracer.finish()


if __name__ == "__main__":
    main()
