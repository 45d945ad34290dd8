"""Which SubNet serves a query and which SubGraph is cached: tables and schedulers."""
