"""Faces in pictures: detection, tracking, region mask, square crop and its inverse, head pose and speed."""
