"""Traces as files that others read: written whole or not at all, read back as the same traces."""
