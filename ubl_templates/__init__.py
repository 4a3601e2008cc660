"""The documents as they will look, with marks where the business terms go; read by gateway.ubl and gateway.stamp."""
