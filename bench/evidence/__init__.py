"""What a look at the closed units costs, as history grows."""
