"""What is owed and what is held, per pool and currency; movements between own accounts; the treasury summary."""
