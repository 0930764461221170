"""What a lab adds to groundrl from outside: one Python file and one YAML file for each part."""
