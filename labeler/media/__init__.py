"""Bytes to arrays and back: sniffing, limits, decoding, encoding, container surgery."""
