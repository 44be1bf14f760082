"""The hidden checks, a module for each unit. The driver imports them; neither a learner nor the sandbox gets them."""
