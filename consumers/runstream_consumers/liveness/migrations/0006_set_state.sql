-- The state that a command set and the writers that it overrules (JSON, in ASCII); null if none was set.
alter table run add column set_state text;
