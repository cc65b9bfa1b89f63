"""Faults of a cluster and the promises that hold through them; checks/cluster.py has the faults themselves."""
