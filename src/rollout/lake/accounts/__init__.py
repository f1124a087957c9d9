"""Every unit's account, run by run: kept up with what is filed, never read again from the beginning."""
