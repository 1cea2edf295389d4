"""Orchestra: a small model conducts tools and expert models under preferences and a budget."""
