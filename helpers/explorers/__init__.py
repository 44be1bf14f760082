"""One module a notebook, with its explorers and its own pictures; `shell` is what they all share."""
