"""What was measured of finished models afterwards, each on a machine; kept beside the records."""
