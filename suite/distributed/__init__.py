"""Ranks that share a batch: their rendezvous, commands, gradients and network."""
