"""Echotrain: a streaming MR reconstruction engine that doubts its own images."""

__version__ = "0.1.0"
