"""Stable-Baselines3 with W&B's callback. Metrics are synced from TensorBoard."""

import wandb
from stable_baselines3 import PPO
from wandb.integration.sb3 import WandbCallback


def main() -> None:
    """Train 256 steps."""
    run = wandb.init(config={"env": "CartPole-v1"}, sync_tensorboard=True)
    model = PPO(
        "MlpPolicy", run.config.env, n_steps=64, batch_size=32, n_epochs=1, seed=0, tensorboard_log=f"tb/{run.id}"
    )
    model.learn(256, callback=WandbCallback(gradient_save_freq=4, model_save_path="models"))
    run.finish()


if __name__ == "__main__":
    main()
