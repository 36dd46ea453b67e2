"""Statistics of replicates: intervals, tests of differences, the scatter of searches. They know no board."""
