"""Saved views: filters of a list under a name, private or shared, with an address of their own."""
