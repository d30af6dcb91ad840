"""Finding the face: region mask, square crop and its inverse, head pose and speed."""
