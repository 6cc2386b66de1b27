"""Archives: deployments, recordings, photographs, the windows of both with their scores, and annotations."""
