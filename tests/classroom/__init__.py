"""What needs the packages of a classroom: nbgrader, JupyterHub."""
