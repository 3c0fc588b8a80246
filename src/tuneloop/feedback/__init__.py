"""Feedback: what people said of served answers becomes the next dataset version and the next lesson."""
