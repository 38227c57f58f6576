"""The summary folded from a writer's spool."""
