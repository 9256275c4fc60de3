"""What a person may ask for: a copy of everything kept about them, and its removal. And removal by age."""
