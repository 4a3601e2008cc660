"""What a document says: facts and sums (`facts`), and how an order becomes one (`from_order`)."""
