"""Models of others in our skeleton: where they differ from the paper."""
