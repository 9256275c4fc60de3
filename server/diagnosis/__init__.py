"""What `parley doctor` looks at: the machine, what Parley keeps, hearing and speaking."""
