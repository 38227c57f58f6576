"""The stack's part of the command line: ``runstream up | down | status``."""

from runstream_deploy.cli.app import register as register
