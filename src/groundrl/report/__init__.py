"""What people look at: drawn boxes, rollouts, tables, pages, the progress line."""
