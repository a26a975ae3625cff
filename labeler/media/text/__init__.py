"""Texts and documents: what a file is, where its text begins and ends, and edits that leave the rest alone."""
