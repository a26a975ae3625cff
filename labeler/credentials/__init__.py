"""The credentials layer: signed C2PA manifests, through c2pa-python."""
