"""Stages of the audio watermark: :mod:`labeler.watermark.audio` puts them together."""
