"""Benchmarks of qfast; see README.md here."""
