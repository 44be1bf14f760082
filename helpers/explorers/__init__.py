"""One module a notebook, each with its explorers; `shell` is what they all share."""
