"""What the agent says and learns: personas, dialogue, LLM turn, tools and knowledge."""
