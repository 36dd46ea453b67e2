"""Tables of the numbers: terminal, Markdown, LaTeX, CSV and JSON, with the notes that explain them."""
