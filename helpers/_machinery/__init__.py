"""What a learner never opens: weights, photographs, the feature cache, the doctor."""
