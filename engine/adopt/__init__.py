"""Models made elsewhere: `python -m engine.adopt`."""
