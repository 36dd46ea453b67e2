"""Numbers from records: operating points, leaderboards, intervals, tests. Nothing here renders or writes."""
