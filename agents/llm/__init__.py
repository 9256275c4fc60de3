"""Replies by a language model: it proposes, the code disposes."""
