"""What goes out with a dataset, and a dataset in other layouts: card, attribution, Croissant, export, packed media."""
