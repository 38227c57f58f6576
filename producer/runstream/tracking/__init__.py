"""What a training script touches: init, Run, config, summary, metrics."""
