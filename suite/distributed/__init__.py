"""Processes that share a batch: ranks, their gradients, their network."""
