"""The metadata layer: the GB 45438-2025 Annex E label and IPTC fields in a file's own metadata."""
