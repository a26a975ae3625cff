"""Lossless container surgery: pure functions on bytes, one module per family.

Every function checks bounds against what is there, never against what the file declares, and raises
``labeler.errors.DamagedMedia`` for what cannot be walked. Picture data is never decoded or changed.
"""

from __future__ import annotations

from labeler.media.containers.graft import graft

__all__ = ["graft"]
