"""Video files: what they are, their frames, and writing them again with everything that stood beside the frames."""
