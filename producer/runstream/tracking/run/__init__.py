"""``Run`` and the backends it delegates to."""
