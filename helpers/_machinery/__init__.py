"""What a learner never opens.

`downloads` brings what is new from the network, `weights` those of VGG16; `photographs` are those that packages ship;
`feature_cache` keeps computed features, `doctor` looks over the installation, `quiet` imports TensorFlow without messages.
"""
