"""The instrument: how well videos talk, move and hold together, measured from their pictures and their sound."""
