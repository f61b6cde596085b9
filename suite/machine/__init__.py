"""The machine that measures: what kernel, drivers and torchrun say of it, and what is asked of them. No torch."""
