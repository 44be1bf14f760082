"""What a learner never opens.

`downloads` brings what is new from the network, `weights` VGG16's, `photographs` are those that packages ship, `feature_cache`
keeps computed features, `doctor` looks over the installation, and `quiet` imports TensorFlow without its messages.
"""
