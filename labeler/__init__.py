"""Label AI-generated media, and verify the labels."""

__version__ = "0.1.0"
