"""Face motion for other programs: Live Link Face CSV, glTF, JSON, BVH, and VMC over the network."""
