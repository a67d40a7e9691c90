"""The main job of the house: a neural network for handwritten digits, tuned by eight algorithms side by side."""
