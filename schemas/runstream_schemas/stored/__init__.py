"""What lies in the object store: keys of objects, and manifests of artifacts."""
