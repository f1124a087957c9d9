"""What a request costs on its way through our proxy, beside other ways to split traffic."""
