"""Stand-ins for systems that tests can't start."""
