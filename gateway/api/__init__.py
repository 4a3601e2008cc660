"""The HTTP API: routes by audience, thin over the pipeline."""
