"""What people do with an analysed library of music: arrays and paths in, answers out."""
