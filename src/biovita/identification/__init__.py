"""Which taxa are heard in recordings and seen in photographs, how sure that is, and why."""
