"""Reports as pages: HTML in one file, Markdown, and JSON for programs."""
