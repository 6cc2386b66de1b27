"""How models lie: one module a layout, behind one protocol."""
