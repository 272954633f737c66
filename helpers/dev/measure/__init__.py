"""Measurements of speed, memory, accuracy and handling that README and docs quote, each started by itself."""
