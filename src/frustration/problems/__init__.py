"""Built-in problems. Each is one file that you can copy as a start for your own."""
