"""From videos to a dataset of labelled clips."""
