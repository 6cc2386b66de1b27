"""The towers themselves, trained on recordings, photographs and texts."""
