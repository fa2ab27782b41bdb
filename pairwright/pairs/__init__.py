"""What is measured of a pair of answers, and the columns that hold it."""
