"""The ways to serve a request, one module each; `qfast.simulation.door` chooses among them."""
