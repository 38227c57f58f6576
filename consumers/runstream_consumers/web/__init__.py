"""The pages: rendered here, kept fresh by a little JavaScript that asks the API."""
