"""Search of an archive: its windows, photographs and taxa in one space, filters, comparable scores."""
