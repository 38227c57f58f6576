-- The run of a message in quarantine, so that its readers learn why records are missing. Null for messages that were
-- stored before; of a message without a valid head, that of no run.
alter table quarantine add column run uuid;
create index quarantine_run on quarantine (run) where redriven is null;
