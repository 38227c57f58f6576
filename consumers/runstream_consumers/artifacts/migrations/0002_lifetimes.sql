create index property_ttl on property (collection, version) where name = 'ttl_s';
