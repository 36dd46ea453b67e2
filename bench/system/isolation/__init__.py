"""What others' code may do to a process: its state is set back, and what it leaves behind is found."""
