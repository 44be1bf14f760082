"""What a learner never opens: downloads, weights, photographs, the cache of features, the doctor, and quiet for TensorFlow.

downloads      bring a file from a web server or through pip, and say in which folder it is kept: here begins a new asset
weights        VGG16's weights: where they come from, how they are read, verified and kept
photographs    the photographs that installed packages ship, and the patches cut from them (tables in photographs.toml)
feature_cache  the files that keep computed features
doctor         a report on the installation, with a remedy for whatever is amiss
quiet          TensorFlow imported without its messages
"""
