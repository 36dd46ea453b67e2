"""Where trials run. An executor takes frozen trials and hands back records, in any order."""
