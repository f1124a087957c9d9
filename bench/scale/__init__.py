"""How the controller fares with many experiments: how soon each is looked at again, how soon it answers."""
