"""A company in a box: model servers and users, so that the whole chain can be watched within minutes."""
