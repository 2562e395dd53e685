"""What the Python functions return: records, sentences, tables, plots, data frames, progress."""
