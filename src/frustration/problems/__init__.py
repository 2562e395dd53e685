"""Problems that come along. Each is one file that can be copied as the start of one's own."""
