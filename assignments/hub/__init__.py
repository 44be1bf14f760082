"""A classroom on one machine: a JupyterHub with a teacher and students, for a rehearsal before the real one."""
