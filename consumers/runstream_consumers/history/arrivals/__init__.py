"""Rows in the order of their arrival: console lines, and what followers of a run get."""
