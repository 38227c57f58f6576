"""Reading runs back: ``runstream.Api``."""
