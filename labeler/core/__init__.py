"""What every layer shares, and what knows no codec and no file format."""
