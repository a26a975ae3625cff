"""Measurements that anybody can repeat: speed against the bare codec, robustness against named attacks."""
