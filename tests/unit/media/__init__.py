"""Tests of media values."""
