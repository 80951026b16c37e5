"""Studies: measurements that docs/studies reports, each made again by one command."""
