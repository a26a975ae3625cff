"""C2PA manifests inside texts: an option beside the sidecar, for texts that travel without their neighbours.

Three forms of C2PA 2.4, Annex A, each a codec of its own:

=====  ========================================  ==============================  ==================
form   what it is                                types that labeler signs so      module
=====  ========================================  ==============================  ==================
A.7    ``<script type="application/c2pa">``      HTML                            ``script``
A.8    a run of variation selectors at the end   plain text                      ``selectors``
A.9    a block between two delimiters, in a      Markdown, WebVTT                ``armour``
       comment
=====  ========================================  ==============================  ==================

c2pa-python 0.38.1 knows none of them, and calls every manifest with an excluded range invalid unless it
finds the manifest in the file itself. So c2pa answers for signature, assertions and trust, and ``binding``
for the one thing it cannot see here: that the range left out of the hash is the manifest and nothing else,
and that the hash of the rest fits.

What does not decode is never "unsigned": `find` gives `Damage` with the specification's code.
"""

from labeler.credentials.intext.binding import bind, bind_file, problem, whole_hash
from labeler.credentials.intext.forms import TYPES, find, form_for
from labeler.credentials.intext.model import CORRUPTED, REMOTE, Damage, Found
from labeler.credentials.intext.signing import read_in_text, sign_in_text

__all__ = [
    "CORRUPTED",
    "REMOTE",
    "TYPES",
    "Damage",
    "Found",
    "bind",
    "bind_file",
    "find",
    "form_for",
    "problem",
    "read_in_text",
    "sign_in_text",
    "whole_hash",
]
