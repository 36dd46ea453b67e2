"""Numbers: records to points, leaderboards, intervals and tests. Nothing here renders or writes."""
