"""Files that users give and files that they receive: what is read is checked, what is written is whole."""
