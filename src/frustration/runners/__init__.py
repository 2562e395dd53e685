"""Where trials run: the same trials in, the same records out."""
