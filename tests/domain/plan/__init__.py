"""The plan of a policy: its clock, its efforts, its harm, its advice."""
