"""The others: a worker process for each framework that we are compared with, and what only they need."""
