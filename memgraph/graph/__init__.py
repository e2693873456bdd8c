"""The only code that talks to Neo4j: statements, writer, reader, migrations, export."""
