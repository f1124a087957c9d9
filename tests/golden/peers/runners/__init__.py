"""Run inside the peers' environments: each module asks one package, in that package's own terms."""
