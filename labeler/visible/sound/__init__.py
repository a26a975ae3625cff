"""The audible mark: what it sounds like, how it is laid into a programme, and how it is found again."""
