"""Files on disk: one module per format, each with a function that reads and one that writes."""
