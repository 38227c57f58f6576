-- The transitions of a run without those of its writers, of which it may have thousands.
create index transition_of_run_itself on transition (run, id) include (time) where writer is null;
