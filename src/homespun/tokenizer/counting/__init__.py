"""Count how often each pre-token of a corpus occurs, in memory or into a counts file."""
