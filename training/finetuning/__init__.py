"""From one's own tracks and a trained model to a model file, in one command."""
