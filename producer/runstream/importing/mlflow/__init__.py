"""Runs of MLflow's stores: its database, or its folder ``mlruns``."""
