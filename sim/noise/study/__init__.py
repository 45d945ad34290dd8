"""The noise study: its parts, tables and costs."""
