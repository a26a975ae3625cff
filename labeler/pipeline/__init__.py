"""Label and verify one file: the only room that knows every layer and their order."""
