"""Parts of the benchmark of training: files as tasks, methods, runs that resume, tables."""
