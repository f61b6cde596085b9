"""The controller: starts workers, asks for rounds, decides when to stop.

No torch.
"""
