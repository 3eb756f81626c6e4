"""What the README shows is what happens: its sessions are played, its examples run."""
