"""What a run was made with: its code, software, machine and environment, as plain values. No torch."""
