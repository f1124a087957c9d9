"""The control database: tables, migrations, and the only writer."""
