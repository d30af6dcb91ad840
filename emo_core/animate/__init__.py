"""The command `animate`: one set of options for all models."""
