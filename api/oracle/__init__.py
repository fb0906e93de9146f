"""A reporter: takes agents' samples in, agrees with its peers on figures, puts reports on chain."""
