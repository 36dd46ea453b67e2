"""Names that attack what shows them: the one list for a terminal, Markdown, LaTeX, CSV, HTML and figures."""

HOSTILE = [
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b]8;;http://evil\x07link\x1b]8;;\x07", "\x9b2J", "a\rb",
    "a\x08b", "\x00", "[red]x[/red]", "[/]", "[link=http://evil]x[/link]", "[bold", ":smiley:", "[2em]",
    "*", "*[2em]", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td></tr>", "&lt;b&gt;",
    '"\'><b>', "</script>", "![x](http://evil)", "[x](javascript:alert(1))", "http://evil.org",
    "www.evil.org", "me@evil.org", "a|b", "`code`", "# title", "- item", "1. item", "> quote", "---",
    "**b**", "__b__", "~~s~~", '\\', "\\|", "$x^2$", "$", "\\$x$", "\\input{/etc/passwd}", "\\write18{id}",
    "a & b \\\\ c", "100 %", "{", "}", "x_1^2", "~", '"', "^^5c", "=1+1", "+1", "-1+1", "@SUM(A1)",
    "\t=1+1", "\r=1", '=HYPERLINK("http://evil")', "\uff1d1+1", "'=1", "a,b", 'a"b', "\u202egnp.exe",
    "a\u200bb", "\u2066x\u2069", "\ufeffx", "\xadx", "\ud800", "a\nb", "a\u2028b", " ",
    "\xe9 \u2211 \u6f22",
]  # fmt: skip
