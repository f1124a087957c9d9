"""What it costs to keep a record of a request, on its way from Envoy's log into the lake and the counts."""
