"""Import runs of other trackers: each source yields neutral records, which one recorder writes as every run is."""
