"""An experiment: its loop, checkpoints and logs."""
