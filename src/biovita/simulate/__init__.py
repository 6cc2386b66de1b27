"""A simulated fauna: looks, calls, names and ecology that evolved together along one tree."""
