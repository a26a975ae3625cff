"""The credentials layer: signed C2PA manifests, through c2pa-python.

``certs`` and ``profile`` make and check certificates, ``identity`` opens the signing key, ``sign`` and
``manifest`` write, ``read`` and ``codes`` judge, ``trust`` holds roots and c2pa's settings. Only
functions import c2pa, so that importing this package stays cheap.
"""
