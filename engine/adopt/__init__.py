"""`python -m engine.adopt`: gives models made elsewhere a vocabulary."""
