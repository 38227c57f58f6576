"""Consumers that are one function: it receives the new rows of a run, and requests messages to other systems.

See docs/consumers.md.
"""

from runstream_consumers.functions.declaration import FunctionConsumer as FunctionConsumer
from runstream_consumers.functions.declaration import consumer as consumer
from runstream_consumers.functions.outbox import Message as Message
from runstream_consumers.functions.run import Row as Row
from runstream_consumers.functions.run import Run as Run
from runstream_consumers.functions.webhook import webhook as webhook
