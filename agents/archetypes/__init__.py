"""What each trade's agent is like: forty archetypes, the sectors that pick one, and the persona that results."""
