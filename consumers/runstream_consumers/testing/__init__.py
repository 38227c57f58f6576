"""A kit for tests of consumers: builds events of runs, and applies them without a broker. See docs/consumers.md."""

from runstream_consumers.testing.feed import Feed as Feed
from runstream_consumers.testing.feed import feeding as feeding
from runstream_consumers.testing.feed import scratch_database as scratch_database
from runstream_consumers.testing.messages import messages_of as messages_of
from runstream_consumers.testing.recorded_run import RecordedRun as RecordedRun
from runstream_consumers.testing.replay import check_replay as check_replay
from runstream_consumers.testing.replay import single_records as single_records
