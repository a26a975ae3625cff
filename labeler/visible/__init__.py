"""The visible (audible) layer: write the mark, and find it again."""
