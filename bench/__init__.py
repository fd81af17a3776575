"""One command a figure. Each prints what it measured and what that is to be held against."""
