"""The README shows what really happens: its sessions are played and its examples run."""
