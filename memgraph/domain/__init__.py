"""What the graph is: classes, values, rules and events. No I/O, no Cypher, no settings."""
